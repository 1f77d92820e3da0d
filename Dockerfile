# The daemon in a small image. Build: docker build -t slipstream .   Run: docker run -p 6008:6008 -v slipstream:/data slipstream
# Settings are flags after the image's name, or SLIPSTREAM_ and JETSTREAM_ variables. See docs/deploying.md.
ARG NODE_TAG=26-slim

FROM node:${NODE_TAG} AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY client/package.json client/
COPY simulator/package.json simulator/
# Compiling needs no package's install script.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY cmd cmd
COPY lib lib
# `slipstream tail` is built on it.
COPY client/lib client/lib
RUN npm run build

FROM node:${NODE_TAG} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# LevelDB comes as a prebuilt binary inside its package; zstd is Node's own. Nothing is compiled.
RUN npm ci --omit=dev --workspaces=false --ignore-scripts --no-audit --no-fund \
  && find node_modules -path '*/prebuilds/*' -prune ! -name "linux-$(node -p process.arch)" -exec rm -rf {} +

FROM node:${NODE_TAG}
LABEL org.opencontainers.image.title="Slipstream" \
    org.opencontainers.image.description="The AT Protocol firehose as JSON over WebSocket: the Jetstream v1 wire, exactly once, gapless" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.source="https://github.com/OWNER/slipstream"
ENV NODE_ENV=production \
    SLIPSTREAM_DATA_DIR=/data
RUN install --directory --owner=node --group=node /data
WORKDIR /app
COPY package.json LICENSE ./
COPY bin bin
COPY dictionaries dictionaries
COPY lexicons lexicons
# The status page links to them.
COPY docs/http.md docs/http.md
COPY docs/wire.md docs/wire.md
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /build/dist dist
USER node
VOLUME /data
EXPOSE 6008 6009
# Node as PID 1 gets SIGTERM itself; the daemon stops within 10 s.
STOPSIGNAL SIGTERM
# Asks where the metrics listener is by its variable. With the flag --metrics-listen-addr in its place, give the variable too.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD ["node", "-e", "const { env } = process; const at = env.SLIPSTREAM_METRICS_LISTEN_ADDR || env.JETSTREAM_METRICS_LISTEN_ADDR || ':6009'; fetch(`http://127.0.0.1:${at.slice(at.lastIndexOf(':') + 1)}/health/live`, { signal: AbortSignal.timeout(4000) }).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/slipstream.js"]
