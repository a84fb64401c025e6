#!/bin/sh
# Installs the guest kit from the folder that this script is in, or with --uninstall takes it away again. DESTDIR is for packagers.
set -eu
here=$(dirname "$(readlink -f "$0")")
root=${DESTDIR:-}
kit=$root/opt/unipath-guest
rules=$root/etc/udev/rules.d/70-unipath-guest.rules
network=$root/etc/systemd/network/10-unipath-guest.network
manager=$root/etc/NetworkManager/conf.d/90-unipath-guest.conf
unit=$root/etc/systemd/system/unipath-guest@.service
command=$root/usr/local/bin/unipath

# What runs is told; what does not, does not mind.
reload() {
  [ -z "$root" ] || return 0
  udevadm control --reload 2>/dev/null && udevadm trigger --subsystem-match=net 2>/dev/null || true
  systemctl daemon-reload 2>/dev/null || true
  networkctl reload 2>/dev/null || true
  nmcli general reload 2>/dev/null || true
}

if [ "${1:-}" = --uninstall ]; then
  [ -n "$root" ] || systemctl disable --now 'unipath-guest@*.service' 2>/dev/null || true
  rm -f "$rules" "$network" "$manager" "$unit" "$command"
  rm -rf "$kit"
  reload
  exit 0
fi

if [ "$here" != "$kit" ]; then
  mkdir -p "$(dirname "$kit")"
  rm -rf "$kit.new"
  cp -R "$here" "$kit.new"
  rm -rf "$kit"
  mv "$kit.new" "$kit"
fi
for file in "$rules" "$network" "$manager" "$unit"; do
  mkdir -p "$(dirname "$file")"
  cp "$kit/etc/$(basename "$file")" "$file"
done
mkdir -p "$(dirname "$command")"
ln -sf /opt/unipath-guest/bin/unipath "$command"
reload
command -v node >/dev/null || echo 'Node.js is missing: the plug-in and `unipath guest check` need version 20 or newer' >&2
