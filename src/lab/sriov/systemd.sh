#!/bin/sh
# systemd as the first process of the machine: its manager and its journal, and of what else a machine starts nothing, for that is the outer
# machine's and not for this one.
units=/run/systemd/system
mkdir -p $units /run/systemd/journald.conf.d
for unit in /lib/systemd/system/sysinit.target.wants/*.service /etc/systemd/system/sysinit.target.wants/*; do
  unit=${unit##*/}
  [ "$unit" = systemd-journald.service ] || ln -sf /dev/null "$units/$unit"
done
printf '[Journal]\nStorage=volatile\nRateLimitBurst=0\n' > /run/systemd/journald.conf.d/unipath.conf

cat > $units/unipath-shell.service <<END
[Unit]
Description=shell on the second serial line
DefaultDependencies=no
[Service]
ExecStart=/bin/sh ${0%/*}/host.sh shell
KillMode=process
END
cat > $units/unipath-machine.target <<END
[Unit]
Description=machine that plays a KVM host
Requires=sysinit.target
Wants=unipath-shell.service
AllowIsolate=yes
END
exec /lib/systemd/systemd --unit=unipath-machine.target
