# Names and addresses of the lab, and the little that every part needs. Sourced, never run.

lab_dir=${RUNBOOK_LAB_DIR:-/tmp/runbook-lab}
lab_base=runbook-lab-base:bookworm
lab_image=runbook-lab-host
lab_network=runbook-lab
# Not Docker's own ranges, so that an engine the machine already has is not in the way.
lab_subnet=${RUNBOOK_LAB_SUBNET:-10.213.17.0/24}
# A name of its own, so that one which an engine left when it was killed is found again.
lab_bridge=rlab-$(printf %s "$lab_subnet" | cksum | cut -d ' ' -f 1)
lab_container=${RUNBOOK_LAB_CONTAINER:-runbook-lab-host}
# The name the certificate and the nginx site are for; inside the container it is the loopback interface.
lab_domain=api.marb.test

say() { echo "lab: $*" >&2; }

die() { say "$@"; exit 1; }

# wait_for SECONDS WHAT COMMAND... : polls until the command succeeds.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { say "$what: not within the time it may take"; return 1; }
        sleep 0.1
    done
}

install_missing() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || [ -x "/usr/sbin/${pair%%=*}" ] || missing+=("${pair#*=}")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || die "run as root: ${missing[*]} must be installed"
    say "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
}
