# The service against a PostgreSQL of your own:
#   docker build -t endwatch .
#   docker run -e ENDWATCH_DATABASE_URL=postgresql://user:password@host/endwatch -p 8000:8000 endwatch
# Other commands go in place of `serve`: docker run ... endwatch scheduler
FROM python:3.11-slim AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/endwatch
COPY requirements.lock /tmp/requirements.lock
RUN /opt/endwatch/bin/python -m pip install --require-hashes -r /tmp/requirements.lock

FROM python:3.11-slim
RUN useradd --system --create-home --home-dir /var/lib/endwatch --shell /usr/sbin/nologin endwatch
COPY --from=packages /opt/endwatch /opt/endwatch
WORKDIR /srv/endwatch
COPY pyproject.toml alembic.ini ./
COPY monitors monitors
COPY migrations migrations
COPY samples samples
COPY app app
ENV PATH=/opt/endwatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ENDWATCH_DATA_DIR=/var/lib/endwatch/data
RUN python -m compileall -q app monitors migrations
USER endwatch
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=90s --retries=3 \
    CMD ["python", "-m", "app.cli", "health"]
ENTRYPOINT ["python", "-m", "app.cli"]
CMD ["serve", "--host", "0.0.0.0"]
