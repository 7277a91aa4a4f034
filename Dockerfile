FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/tradeagent
COPY requirements.lock ./
RUN /opt/tradeagent/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY tradeagent ./tradeagent
RUN /opt/tradeagent/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home --home-dir /home/tradeagent tradeagent \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/tradeagent
COPY --from=build /opt/tradeagent /opt/tradeagent
ENV PATH=/opt/tradeagent/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/tradeagent
VOLUME ["/var/lib/tradeagent"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8004/livez', timeout=4)"]
ENTRYPOINT ["python", "-m", "tradeagent"]
CMD ["run", "--state", "/var/lib/tradeagent"]
