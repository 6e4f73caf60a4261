# The commands of the house. `just` alone lists them.

out := "target/dist"

# List the recipes
default:
    @just --list

# Build the program, optimised
build:
    cargo build --release --locked

# Run the tests, or those that match: just test recovery::
test *FILTER:
    cargo test --locked -- {{FILTER}}

# Check format and lints
lint:
    cargo fmt --all -- --check
    cargo clippy --locked --all-targets -- -D warnings

# Build the documentation, private items too; a broken link is an error
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# Check what the dependencies are: licences, duplicates, sources, advisories
deny:
    cargo deny --locked check

# Measure: just bench speed, scale, pace, quota or pools; alone all of them
bench *WHICH:
    cargo bench -- {{WHICH}}

# Rewrite the golden texts, to be read with git diff
golden:
    INSTA_UPDATE=always cargo test --locked --test it -- golden

# Serve the simulated API on loopback
sim *FLAGS:
    cargo run --release --locked -- simulator {{FLAGS}}

# Write the licences of all that is linked in
notices:
    packaging/notices target/notices/THIRD-PARTY-NOTICES

# Write man pages and completions to target/man and target/completions
manuals: build
    packaging/manuals target/release/finspace-reset target

# Make a release archive with manuals, notices and SHA256SUMS
dist: build notices
    packaging/dist target/release/finspace-reset target/notices/THIRD-PARTY-NOTICES {{out}}

# Make a Debian package
deb: manuals notices
    cargo deb --no-build

# Build a container image
image:
    docker build --tag finspace-reset .

# What must pass before a change lands
ci:
    .ci/run
