# finspace-reset in an image of its own: docker build --tag finspace-reset .
#
#   docker run --rm -v "$PWD:/data" -v finspace-reset-state:/state finspace-reset \
#       run /data/users.csv -o /data/results.csv.age -R /data/keys.txt --yes --endpoint-url URL
#
# Ledgers live in /state, which must outlive the container: it is what an interrupted run continues from.
# Folders that are mounted must be writable for user 65532, or give `--user`.

FROM library/rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked \
    && packaging/notices target/notices/THIRD-PARTY-NOTICES \
    && install -d -m 700 /state

FROM library/debian:bookworm-slim
# The authorities that HTTPS endpoints are checked against.
COPY --from=build /etc/ssl/certs /etc/ssl/certs
COPY --from=build /src/target/release/finspace-reset /usr/bin/finspace-reset
COPY --from=build /src/LICENSE /src/target/notices/THIRD-PARTY-NOTICES /usr/share/doc/finspace-reset/
COPY --from=build --chown=65532:65532 /state /state
ENV FINSPACE_RESET_STATE_DIR=/state
VOLUME /state
WORKDIR /data
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/finspace-reset"]
CMD ["--help"]
