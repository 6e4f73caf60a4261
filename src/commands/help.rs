//! What follows the flags in the help: examples by task, and exit codes.

/// After `finspace-reset -h`.
pub(super) const SHORT: &str = "\
«finspace-reset --help» has examples; «finspace-reset run --help» all about a run.";

/// After `finspace-reset --help`.
pub(super) const LONG: &str = "\
Rehearse, with nobody harmed:
  finspace-reset run users.csv --simulate -o results.csv

In an incident:
  finspace-reset keygen -o incident-key.txt                          (tells the public key, age1…)
  finspace-reset list-users --status ENABLED -o users.csv
  finspace-reset run users.csv --dry-run -o results.csv.age -r age1…  (names the plan)
  finspace-reset run users.csv -o results.csv.age -r age1… --confirm PLAN
  finspace-reset decrypt results.csv.age -i incident-key.txt -o results.csv

When something went wrong:
  finspace-reset status                                               (who is reset, who is not)
  the same run command again                                          (does the rest, nobody twice)

Afterwards:
  finspace-reset report BATCH -o incident.html
  finspace-reset close BATCH

One user, as the AWS CLI did:
  finspace-reset reset-user-password --user-id ID

Exit codes of run: 0 all reset, 1 some failed, 2 nothing sent, 3 stopped early,
4 results not written, 75 already running, 130/143 interrupted.";

/// After `finspace-reset run --help`.
pub(super) const RUN: &str = "\
Look first, then run exactly what was shown:
  finspace-reset run users.csv --dry-run --check-users -o results.csv.age -R keys.txt
  finspace-reset run users.csv -o results.csv.age -R keys.txt --confirm PLAN

Everyone but the break-glass accounts, ten of them first:
  finspace-reset run users.csv --exclude break-glass.csv --limit 10 -o results.csv.age -R keys.txt
  finspace-reset run users.csv --exclude break-glass.csv -o results.csv.age -R keys.txt

As fast as the service lets it, for at most an hour:
  finspace-reset run users.csv --rate unlimited --concurrency 64 --deadline 1h -o results.csv.age -R keys.txt

With credentials that FinSpace issues:
  finspace-reset run users.csv --environment-id ENVIRONMENT -o results.csv.age -R keys.txt

From cron, as JSON for machines:
  finspace-reset run users.csv --yes -q --summary run.json --log-format json -o results.csv.age -R keys.txt

Everyone but the superusers:
  finspace-reset list-users --type APP_USER | finspace-reset run - --yes -o results.csv.age -R keys.txt

Exit codes: 0 all reset, 1 some failed, 2 nothing sent, 3 stopped early, 4 results not written,
75 already running, 130/143 interrupted.";
