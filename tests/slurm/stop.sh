#!/usr/bin/env bash
# End the SLURM that tests/slurm/start.sh started, jobs first, and remove what it wrote.
set -u
lab=${SLURM_LAB:-/tmp/ppo-sweeps-slurm}
export SLURM_CONF=$lab/etc/slurm.conf PATH=/usr/sbin:/sbin:$PATH

end() { # end PIDFILE NAME: TERM, then KILL after ten seconds
    local pid
    pid=$(cat "$1" 2>/dev/null) || return 0
    for signal in TERM KILL; do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || return 0
        kill -$signal "$pid"
        for _ in $(seq 100); do
            [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || return 0
            sleep 0.1
        done
    done
}

if timeout 10 scontrol ping >/dev/null 2>&1; then
    timeout 20 scancel --full --signal=KILL --user root 2>/dev/null
    timeout 20 scancel --user root 2>/dev/null
    for _ in $(seq 150); do
        [ -z "$(timeout 5 squeue -h -t RUNNING,COMPLETING 2>/dev/null)" ] && break
        sleep 0.1
    done
fi
end "$lab/run/slurmd.pid" slurmd
end "$lab/state/slurmctld.pid" slurmctld
end "$lab/munge/pid" munged
rm -rf "${lab:?}"
