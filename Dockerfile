# Two stages: hummingbot is compiled in the first, the second carries no compiler.
FROM python:3.12-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir uv==0.13.9
WORKDIR /opt/aviary
COPY . .
RUN printf '[build_ext]\nparallel = %s\n' "$(nproc)" > /tmp/build.cfg \
    && DIST_EXTRA_CONFIG=/tmp/build.cfg uv sync --frozen --no-dev --python python3.12 \
    && .venv/bin/python -m compileall -q .venv/lib || true

FROM python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends mosquitto \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home aviary
COPY --from=build --chown=aviary:aviary /opt/aviary /opt/aviary
RUN mkdir -p /data && chown aviary:aviary /data
# The generated .env lies in the working directory, and so on the volume.
WORKDIR /data
USER aviary
ENV AVIARY_HOME=/data HOST=0.0.0.0 PORT=8000
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["/opt/aviary/.venv/bin/python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health/live', timeout=2)"]
CMD ["/opt/aviary/.venv/bin/python", "/opt/aviary/run.py", "run"]
