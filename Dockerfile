# milesync: one run per start. Config at /etc/milesync/milesync.toml, database on the volume /data, nothing else written.
#
#   docker build --tag milesync .
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp \
#     --volume milesync:/data --volume "$PWD/milesync.toml:/etc/milesync/milesync.toml:ro" --env GITHUB_TOKEN \
#     milesync run --config /etc/milesync/milesync.toml --first-run
#
# MILESYNC_DATABASE outranks the key `database` of the file. For PostgreSQL: --env MILESYNC_DATABASE=postgresql://...
# The base is pinned by its exact version. Where your builder can look it up, pin its digest too (@sha256:...).

FROM python:3.13.13-slim-bookworm AS build
WORKDIR /src
COPY requirements/run.txt requirements/run.txt
RUN python -m venv /opt/milesync \
    && /opt/milesync/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.txt
COPY pyproject.toml hatch_build.py README.md LICENSE milesync.py ./
COPY sync sync
COPY connectors connectors
COPY config config
RUN /opt/milesync/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
    && /opt/milesync/bin/pip uninstall --yes --quiet hatchling editables pip \
    && find /opt/milesync -type d -name tests -prune -exec rm -r {} +

FROM python:3.13.13-slim-bookworm
LABEL org.opencontainers.image.title="milesync" \
      org.opencontainers.image.description="Keeps the health of milestones in GitHub, GitLab and Jira true" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /opt/milesync /opt/milesync
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
ENV PATH=/opt/milesync/bin:$PATH \
    HOME=/data \
    MILESYNC_DATABASE=sqlite:////data/milesync.db \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME /data
# Healthy: the configuration is right and the database can be read. It asks no tracker.
HEALTHCHECK --interval=5m --timeout=30s --start-period=1m --retries=2 \
    CMD ["milesync", "status", "--config", "/etc/milesync/milesync.toml", "--json"]
ENTRYPOINT ["milesync"]
CMD ["run", "--config", "/etc/milesync/milesync.toml", "--json"]
