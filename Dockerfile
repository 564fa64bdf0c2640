FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY gateway gateway
RUN python -m venv /opt/gateway \
    && /opt/gateway/bin/pip install --no-cache-dir '.[local,postgres]'

FROM python:3.13-slim
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 10001 gateway \
    && install --directory --owner gateway --mode 0700 /data
USER gateway
WORKDIR /data
VOLUME /data
EXPOSE 9000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9000/_health/live', timeout=4)"]
# Data and credentials are kept in /data. With a configuration of your own, listening on 0.0.0.0:
# docker run -v ./config.yaml:/config.yaml … serve --config /config.yaml
ENTRYPOINT ["artifact-gateway"]
CMD ["serve", "--host", "0.0.0.0", "--public-url", "http://localhost:9000", "--data-dir", "/data"]
