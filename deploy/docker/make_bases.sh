#!/usr/bin/env bash
# Two base images from this machine's Debian packages, for where no registry of images is reached:
# quantmesh-base:local has Python and no shell, quantmesh-build-base:local also a shell and venv. Needs root,
# debootstrap and podman.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=$(grep -hoPm1 '^URIs:\s*\K\S+' /etc/apt/sources.list.d/debian.sources)
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

echo "build base: debootstrap of $suite"
debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,libstdc++6 "$suite" "$work/build" "$mirror" >"$work/log" 2>&1 \
  || { tail -5 "$work/log" >&2; exit 1; }
tar -C "$work/build" -c . | podman import --quiet - quantmesh-build-base:local

echo "base: the packages that Python needs, unpacked"
packages=$(chroot "$work/build" apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
  --no-replaces --no-enhances python3 libstdc++6 netbase tzdata | grep -oE '^[a-z0-9][a-z0-9.+-]*$' \
  | grep -vxE 'debconf|perl.*|dpkg|tar|gcc-.*|cdebconf|libpam.*|mount|util-linux.*|debianutils|passwd|bash|dash' | sort -u)
mkdir "$work/debs" "$work/root"
(cd "$work/debs" && chroot "$work/build" sh -c 'cd /tmp && apt-get download -q -q '"$(echo $packages)" && mv "$work/build"/tmp/*.deb .)
for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/root"; done
rm -rf "$work"/root/usr/share/{doc,man,locale,lintian,bug,bash-completion,pixmaps,applications} "$work"/root/usr/lib/python3/dist-packages
mkdir -p "$work"/root/etc/ssl/certs "$work"/root/tmp
chmod 1777 "$work/root/tmp"
cp "$work/build/etc/ssl/certs/ca-certificates.crt" "$work/root/etc/ssl/certs/"
printf 'root:x:0:0::/:/nonexistent\nquantmesh:x:10001:10001::/nonexistent:/nonexistent\n' >"$work/root/etc/passwd"
printf 'root:x:0:\nquantmesh:x:10001:\n' >"$work/root/etc/group"
tar -C "$work/root" -c . | podman import --quiet - quantmesh-base:local
podman images --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep base:local
