#!/usr/bin/env bash
# Start a real single-node SLURM on loopback, without systemd, for the tests: munged, slurmctld, slurmd.
#
#   eval "$(tests/slurm/start.sh)"     # prints the export that points a shell at it
#
# Needs root and Debian's apt-get; installs what is missing. Running it twice changes nothing. tests/slurm/stop.sh ends it.
# There is no accounting database, so sacct does not work: what we need, we must find out without it.
set -euo pipefail
exec 3>&1 1>&2 # what is printed on the way is for people; only the export goes to stdout, which no daemon may keep open

lab=${SLURM_LAB:-/tmp/ppo-sweeps-slurm} # everything is written here
port=${SLURM_LAB_PORT:-26817}           # and the next one
cpus=${SLURM_LAB_CPUS:-4}               # that SLURM hands out; may exceed the machine's
host=$(hostname -s)
export PATH=/usr/sbin:/sbin:$PATH SLURM_CONF=$lab/etc/slurm.conf

fail() {
    echo "slurm: $*"
    tail -n 15 "$lab"/log/*.log || true
    exit 1
}
alive() { # alive PIDFILE NAME: that process runs that program
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]
}
until_works() { # until_works COMMAND...: wait up to 30 s
    for _ in $(seq 300); do
        timeout 10 "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    fail "gave up waiting for: $*"
}
as() { setpriv --reuid="$1" --regid="$1" --init-groups "${@:2}"; }

[ "$(id -u)" -eq 0 ] || fail "root is needed"

if ! dpkg -s munge slurmctld slurmd slurm-client >/dev/null 2>&1; then
    policy=/usr/sbin/policy-rc.d # keeps the packages from starting services of their own
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && trap 'rm -f '$policy EXIT; }
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends munge slurmctld slurmd slurm-client
fi

# The daemons listen where the host's name points to: it has to be loopback.
case $(getent ahostsv4 "$host" | awk 'NR == 1 {print $1}') in
    127.*) ;;
    "") echo "127.0.0.1 $host" >>/etc/hosts ;;
    *) fail "$host is not a loopback address: put '127.0.0.1 $host' first in /etc/hosts" ;;
esac

install -d -m 755 "$lab" "$lab/etc" "$lab/spool" "$lab/run"
install -d -m 755 -o slurm -g slurm "$lab/log" "$lab/state"
install -d -m 755 -o munge -g munge "$lab/munge"
if [ ! -s "$lab/munge/key" ]; then
    (umask 077 && head -c 1024 /dev/urandom >"$lab/munge/key")
    chown munge:munge "$lab/munge/key"
fi

# cred_expire is also how long a requeued job has to wait: 120 s by default. KillWait: from SIGTERM to SIGKILL.
cat >"$SLURM_CONF" <<CONF
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=slurm
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$lab/munge/socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$lab/state
SlurmdSpoolDir=$lab/spool
SlurmctldPidFile=$lab/state/slurmctld.pid
SlurmdPidFile=$lab/run/slurmd.pid
SlurmctldLogFile=$lab/log/slurmctld.log
SlurmdLogFile=$lab/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=5,bf_interval=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
JobRequeue=1
ReturnToService=2
KillWait=10
MinJobAge=300
MaxArraySize=1001
MailProg=/bin/true
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$(awk '/MemTotal/ {print int($2 / 1200)}' /proc/meminfo)
PartitionName=lab Nodes=$host Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=$host MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF

if ! alive "$lab/munge/pid" munged; then
    as munge munged --socket="$lab/munge/socket" --key-file="$lab/munge/key" --pid-file="$lab/munge/pid" \
        --log-file="$lab/munge/munged.log" --seed-file="$lab/munge/seed" </dev/null 3>&-
    until_works munge -S "$lab/munge/socket" -n
fi
alive "$lab/state/slurmctld.pid" slurmctld || as slurm slurmctld </dev/null 3>&- || fail "slurmctld did not start"
until_works scontrol ping
alive "$lab/run/slurmd.pid" slurmd || slurmd </dev/null 3>&- || fail "slurmd did not start"
until_works sh -c 'sinfo -h -o %T | grep -qE "^(idle|mixed|allocated|completing)$"'
echo "slurm: up with $cpus CPUs"
echo "export SLURM_CONF=$SLURM_CONF" >&3
