#!/bin/sh
# The first process of a guest: mounts, loads the drivers, sets eth0 up as the kernel's command line says (command_line.ts), starts
# what is to run, and serves a shell on the second serial line for as long as the guest lives. The first one has the kernel's log.
PATH=/sbin:/bin HOME=/
export PATH HOME

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp

# An address is to be usable at once, not a second later when nobody has objected to it.
for interface in all default; do echo 0 > /proc/sys/net/ipv6/conf/$interface/accept_dad; done

# What is sent is counted: it waits while the machine is not let run, where fq_codel would drop what is late and tell nobody.
echo pfifo_fast > /proc/sys/net/core/default_qdisc

while read -r module; do insmod "/modules/$module"; done < /modules/order

ip= ip6= mtu= offloads= agent= services=
for word in $(cat /proc/cmdline); do
  value=${word#*=}
  case $word in
    unipath.name=*) hostname "$value" ;;
    unipath.ip=*) ip=$value ;;
    unipath.ip6=*) ip6=$value ;;
    unipath.mtu=*) mtu=$value ;;
    unipath.offloads=*) offloads=$value ;;
    unipath.service=*) services="$services $value" ;;
    unipath.agent=*) agent=$value ;;
  esac
done

# One `ip` for all: to start it takes an emulated CPU a quarter of a second. What fails is seen in the console's log.
{
  [ -z "$offloads" ] || for setting in $(echo "$offloads" | tr , ' '); do ethtool -K eth0 "${setting%%:*}" "${setting#*:}"; done
  {
    echo link set dev lo up
    if [ -e /sys/class/net/eth0 ]; then
      [ -z "$mtu" ] || echo link set dev eth0 mtu "$mtu"
      echo link set dev eth0 up
      [ -z "$ip" ] || echo address add "$ip" dev eth0
      [ -z "$ip6" ] || echo address add "$ip6" dev eth0 nodad
    fi
  } | ip -force -batch -
} > /dev/console 2>&1

# "name,program,argument,...": its words are in /run/NAME.log.
for service in $services; do
  log=/run/${service%%,*}.log
  $(echo "${service#*,}" | tr , ' ') < /dev/null > "$log" 2>&1 &
done
if [ -n "$agent" ]; then
  node /opt/unipath/build/src/guest/agent.js --interface "$agent" --pins /sys/fs/bpf/unipath-guest < /dev/null > /run/agent.log 2>&1 &
fi

# Bytes as they are, but for ^C, which ends what takes too long. The loop: a shell that ends must not take the machine with it.
# /bin/sh, not sh: setsid is busybox's and would take its own, in which `ip` is its own, too.
while :; do
  setsid -c /bin/sh -c 'stty raw -echo isig clocal && PS1= PS2= exec /bin/sh -i' < /dev/ttyS1 > /dev/ttyS1 2>&1
done
