# Build: types are generated and compiled, then only what runs is kept.
FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json ./
COPY proto proto
COPY native native
COPY src src
COPY scripts/bundle-dfget.mjs scripts/
# npm ci builds as well (`prepare`); what only builds is then left behind.
RUN npm ci --no-audit --no-fund && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:22-bookworm-slim
LABEL org.opencontainers.image.title="dfpeer" \
      org.opencontainers.image.description="P2P piece-upload peer agent, Dragonfly-compatible" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /opt/dfpeer
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY proto proto
COPY assets assets
COPY bin bin
COPY deploy/healthcheck.js deploy/healthcheck.js
# The numeric owner lets Kubernetes check runAsNonRoot; `node` is uid 1000 of the base image.
COPY --chown=1000:1000 deploy/state /var/lib/dragonfly
COPY --chown=1000:1000 deploy/state /run/dragonfly
COPY --chown=1000:1000 deploy/state /var/log/dragonfly
ENV NODE_ENV=production \
    DFPEER_PLACES=system \
    PATH=/opt/dfpeer/bin:$PATH
USER 1000:1000
VOLUME ["/var/lib/dragonfly"]
EXPOSE 4000 4002 4003 4005 4007 8002
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 CMD ["node", "/opt/dfpeer/deploy/healthcheck.js"]
# Other arguments come after it: the log is the container's, whatever they are.
ENTRYPOINT ["/opt/dfpeer/bin/dfdaemon", "--console"]
