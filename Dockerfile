# OMA as a container: `docker build .` in a clean clone. docs/operations.md says how to run it and what it may need.

# The Node and the Debian that OMA is tested with.
FROM node:20.20.2-bookworm-slim AS build
WORKDIR /build
COPY .npmrc package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY lab lab
COPY bench bench
RUN npm run build && npm prune --omit=dev && rm -rf dist/bench dist/.tsbuildinfo

FROM node:20.20.2-bookworm-slim
# The system programs that OMA starts (scripts/bootstrap/programs.mjs names the same).
RUN apt-get update \
  && apt-get install --yes --no-install-recommends \
    qemu-utils libnbd-bin fuse3 fuse2fs e2fsprogs fdisk util-linux \
  && rm -rf /var/lib/apt/lists/*

# OMA needs no root for anything. What it mounts it mounts by FUSE, through fusermount3, which is setuid root and needs the
# container to have /dev/fuse and the capability SYS_ADMIN (docker-compose.yml gives both; without them only file restore fails).
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/oma --shell /usr/sbin/nologin oma \
  && install --directory --owner=oma --group=oma --mode=0700 /var/lib/oma /var/lib/oma-repositories
WORKDIR /opt/oma
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist

# Within the container it must listen for others; what is published, and where, is decided outside.
ENV NODE_ENV=production OMA_HOST=0.0.0.0 OMA_PORT=8082 OMA_DATA_DIR=/var/lib/oma
USER oma
VOLUME ["/var/lib/oma", "/var/lib/oma-repositories"]
EXPOSE 8082
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.OMA_PORT + '/ready').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-old-space-size=1024", "dist/src/main.js"]
