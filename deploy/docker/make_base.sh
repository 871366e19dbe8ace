#!/usr/bin/env bash
# quantmesh-base:local, a base image from this machine's Debian packages, for where no registry of images is reached.
# Needs root, debootstrap and podman.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=$(grep -hoPm1 '^URIs:\s*\K\S+' /etc/apt/sources.list.d/debian.sources)
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

debootstrap --variant=minbase --include=binutils,ca-certificates,libstdc++6,patchelf,python3,python3-venv \
  "$suite" "$work/rootfs" "$mirror" >"$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
tar -C "$work/rootfs" -c . | podman import --quiet - quantmesh-base:local
