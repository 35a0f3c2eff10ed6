#!/bin/bash
# SPDX-License-Identifier: MIT
# The systemd units are well-formed, complete, and closed in. systemd-analyze wants every ExecStart to exist, so a
# copy points at a stand-in.
set -u
source=${GK_SOURCE_DIR:?}
limit=1.5
command -v systemd-analyze >/dev/null || { echo "no systemd-analyze here"; exit 77; }

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cp "$source"/systemd/*.service "$source"/systemd/*.socket "$source"/systemd/*.target "$source"/systemd/*.timer "$work"/
sed -i -E 's#^ExecStart=(-?)/usr/bin/[a-z-]+#ExecStart=\1/bin/true#' "$work"/*.service
failed=0
complain() { echo "FAILED: $*"; failed=1; }

# Silence is the verdict, save for what systemd says about the machine (no kernel call list, no man pages installed).
said=$(SYSTEMD_LOG_LEVEL=notice systemd-analyze verify --man=no "$work"/*.service "$work"/*.socket "$work"/*.target "$work"/*.timer 2>&1 |
    grep -F -e "$work" -e gk-)
[ -z "$said" ] || complain "systemd-analyze verify: $said"

for unit in "$work"/*.service; do
    name=$(basename "$unit")
    exposure=$(systemd-analyze security --offline=yes --no-pager "$unit" 2>"$work"/errors |
        sed -n -E 's/.*Overall exposure level for .*: ([0-9.]+).*/\1/p')
    grep -F "$name" "$work"/errors | grep -v 'kernel system call list' && complain "$name: systemd-analyze security has complaints"
    awk -v e="${exposure:-10}" -v l=$limit 'BEGIN { exit !(e <= l) }' || complain "$name: exposure $exposure is past $limit"
    echo "$name: exposure $exposure"
    # A oneshot service is a timer's: it is over before anybody could reload it.
    if grep -q '^Type=oneshot' "$unit"; then
        [ -f "${unit%.service}.timer" ] || complain "$name: no timer starts it"
        wants=(TimeoutStartSec= User= Group=)
    else
        wants=(Type=notify WatchdogSec= 'ExecReload=.*kill -HUP' Restart= User= Group= LimitNOFILE= Sockets=)
    fi
    for want in "${wants[@]}"; do
        grep -q -E "^$want" "$unit" || complain "$name: no $want"
    done
    for socket in $(sed -n 's/^Sockets=//p' "$unit"); do
        [ -f "$work/$socket" ] || complain "$name names $socket, which is not there"
    done
    user=$(sed -n 's/^User=//p' "$unit")
    grep -q "^u $user " "$source"/systemd/gk.sysusers || complain "$name: no user '$user' in gk.sysusers"
    for group in $(sed -n 's/^SupplementaryGroups=//p' "$unit"); do
        grep -q "^g $group " "$source"/systemd/gk.sysusers || complain "$name: no group '$group' in gk.sysusers"
    done
done
for socket in "$work"/*.socket; do
    name=$(basename "$socket")
    grep -q '^FileDescriptorName=' "$socket" || complain "$name: no FileDescriptorName="
    service=$(sed -n 's/^Service=//p' "$socket")
    service=${service:-${name%.socket}.service}
    grep -q "^Sockets=.*\b$name\b" "$work/$service" || complain "$name: $service does not name it in Sockets="
done

if command -v systemd-sysusers >/dev/null; then
    mkdir -p "$work/root/etc"
    systemd-sysusers --root="$work/root" --dry-run "$source"/systemd/gk.sysusers >/dev/null 2>"$work"/errors ||
        complain "systemd-sysusers: $(cat "$work"/errors)"
fi
exit $failed
