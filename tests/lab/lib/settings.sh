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
# Where compose projects get their networks from: 10.231.0.0/16 for 10.213.17.0/24, and another for another lab.
lab_pool=$(awk -F. '{ print $1 "." ($2 + 1 + $3) % 256 ".0.0/16" }' <<<"$lab_subnet")
# The registry, as the engine and everybody on this machine name it: 15017 for 10.213.17.0/24.
lab_registry=localhost:${RUNBOOK_LAB_REGISTRY_PORT:-$(awk -F. '{ print 15000 + $3 }' <<<"$lab_subnet")}
lab_registry_user=lab
lab_registry_password=lab-registry-password
lab_parts=runbook-lab-parts
lab_tools=runbook-lab-tools
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
