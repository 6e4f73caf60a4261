//! The text below the flags in the help: examples by task, and exit codes.

/// After `finspace-reset -h`.
pub(super) const SHORT: &str = "\
`finspace-reset --help` has examples; `finspace-reset run --help` explains a run.";

/// After `finspace-reset --help`.
pub(super) const LONG: &str = "\
Rehearse; nobody is reset:
  finspace-reset run users.csv --simulate -o rehearsal.csv

In an incident; $URL is your endpoint, since AWS ended FinSpace on 2026-10-07:
  finspace-reset keygen -o key.txt
      prints the public key: put it into keys.txt
  finspace-reset list-users --type APP_USER --endpoint-url $URL -o users.csv
  finspace-reset run users.csv --exclude break-glass.csv -R keys.txt \\
      -o results.csv.age --endpoint-url $URL --dry-run
  finspace-reset run users.csv --exclude break-glass.csv -R keys.txt \\
      -o results.csv.age --endpoint-url $URL --limit 5
  finspace-reset run users.csv --exclude break-glass.csv -R keys.txt \\
      -o results.csv.age --endpoint-url $URL

When something went wrong:
  finspace-reset status
      says who is reset and who is not
  the same run command again
      does the rest, and resets nobody twice

Hand a password over:
  finspace-reset decrypt results.csv.age -i key.txt --user ID

Afterwards:
  finspace-reset report BATCH -o incident.html
  finspace-reset close BATCH

One user, as the AWS CLI did:
  finspace-reset reset-user-password --user-id ID --endpoint-url $URL

Exit codes of run: 0 all reset, 1 some failed, 2 nothing sent, 3 stopped early,
4 results not written, 75 already running, 130/143 interrupted.";

/// After `finspace-reset run --help`.
pub(super) const RUN: &str = "\
Look first, then run exactly what was shown; $URL is your endpoint:
  finspace-reset run users.csv -R keys.txt -o results.csv.age \\
      --endpoint-url $URL --dry-run
  finspace-reset run users.csv -R keys.txt -o results.csv.age \\
      --endpoint-url $URL --confirm PLAN

Everyone but the break-glass accounts, ten of them first:
  finspace-reset run users.csv --exclude break-glass.csv -R keys.txt \\
      -o results.csv.age --endpoint-url $URL --limit 10
  finspace-reset run users.csv --exclude break-glass.csv -R keys.txt \\
      -o results.csv.age --endpoint-url $URL

As fast as the service lets it, for at most an hour:
  finspace-reset run users.csv -R keys.txt -o results.csv.age \\
      --endpoint-url $URL --rate unlimited --concurrency 64 --deadline 1h

With credentials that FinSpace issues:
  finspace-reset run users.csv -R keys.txt -o results.csv.age \\
      --endpoint-url $URL --environment-id ENVIRONMENT

Every night, whoever is new in the list (the README has whole recipes):
  finspace-reset run users.csv --batch leavers -R keys.txt \\
      -o results-$DAY.csv.age --endpoint-url $URL \\
      --yes --close -q --summary run.json

Everyone but the superusers:
  finspace-reset list-users --type APP_USER --endpoint-url $URL |
  finspace-reset run - -R keys.txt -o results.csv.age \\
      --endpoint-url $URL --yes

Exit codes: 0 all reset, 1 some failed, 2 nothing sent, 3 stopped early,
4 results not written, 75 already running, 130/143 interrupted.";
