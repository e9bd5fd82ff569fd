# docker build -t authql .
#
# Needs BuildKit (the default since Docker 23) for the cache mounts.

# ------------------------------------------------------------------------------------------------------------ build
# The full image and not the slim one: aws-lc-sys compiles C and assembly. It does not need cmake on x86-64 or ARM64.
FROM rust:1.95-bookworm AS build
WORKDIR /build

# Queries are checked against .sqlx: no database is asked while building.
ENV SQLX_OFFLINE=true

# .dockerignore lists what comes along, so a new file at the root changes nothing here.
COPY . .

# The registry and every compiled dependency stay in cache mounts: a change in src/ compiles this crate alone.
# `touch`, because cargo goes by modification times, and a source archive may be older than the last build.
# The binary is copied out, because a cache mount is no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,sharing=locked \
    touch src/lib.rs src/main.rs \
    && cargo build --release --locked --bin authql \
    && install -D target/release/authql /out/usr/local/bin/authql

# ---------------------------------------------------------------------------------------------------------- run time
# The same Debian, so the same glibc. Not distroless: the health check below is a line of bash.
FROM debian:bookworm-slim

# The root certificates that SMTP over TLS is checked against; the package would bring OpenSSL's tools along.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out /
COPY LICENSE-APACHE LICENSE-MIT THIRD-PARTY-NOTICES.md /usr/share/doc/authql/

# A number, so that an orchestrator can see that it is not root. Nothing in the image belongs to it, and authql writes
# no file when DATABASE_URL is set: the file system may be read-only.
USER 10001:10001

# Loopback would be the container's own. Publish this port to a reverse proxy only (TLS, docker-compose.yml).
ENV AUTHQL_LISTEN=0.0.0.0:8080
EXPOSE 8080

# Liveness and not readiness: orchestrators restart what is unhealthy, and a restart does not bring Postgres back.
# bash opens the connection by itself (/dev/tcp), so there is no curl to install and to keep patched.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD [ "bash", "-c", "\
    exec 3<>/dev/tcp/127.0.0.1/${AUTHQL_LISTEN##*:} \
    && printf 'GET /health/live HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 \
    && read -r _ status _ <&3 \
    && [[ $status == 2* ]]" ]

ENTRYPOINT ["authql"]
CMD ["serve"]
