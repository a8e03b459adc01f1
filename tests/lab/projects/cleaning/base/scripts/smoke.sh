#!/usr/bin/env bash
# Asks the running site for everything a customer and an administrator ask it for. A line for each test; it ends with 0
# when all have passed. What it writes, it takes away again.
set -uo pipefail
: "${API_BASE_URL:?}" "${WEB_BASE_URL:?}" "${ADMIN_USER:?}" "${ADMIN_PASS:?}"
failures=0 lead=

# The password is not an argument: everybody on the machine reads those.
as_admin() { curl -fsS --max-time 10 -K - "$@" <<<"user = \"$ADMIN_USER:$ADMIN_PASS\""; }
api() { curl -fsS --max-time 10 -H 'Content-Type: application/json' "$@"; }

check() {
    local title=$1 want=$2 got
    shift 2
    if got=$("$@" 2>&1) && jq -e "$want" >/dev/null 2>&1 <<<"$got"; then
        echo "PASS $title"
    else
        echo "FAIL $title: ${got:0:300}"
        failures=$((failures + 1))
    fi
}

start_page() { curl -fsS --max-time 10 "$WEB_BASE_URL/" | jq -Rs .; }
new_lead() { api "$API_BASE_URL/v1/leads" -d '{"name": "smoke test", "phone": "+49 30 0000"}'; }
trap '[ -z "$lead" ] || as_admin -X DELETE "$API_BASE_URL/v1/admin/leads/$lead"' EXIT

check "alive" '.status == "ok"' api "$API_BASE_URL/healthz"
check "ready" '.ok and (.checks | all(.ok))' api "$API_BASE_URL/readyz"
check "start page" 'test("CleanWithSnapshot")' start_page
check "estimate" '.price == 140' api "$API_BASE_URL/v1/estimate" -d '{"beds":2,"baths":1,"cleaning_type":"standard"}'
lead=$(new_lead | jq -r .id)
check "lead" '.name == "smoke test"' api "$API_BASE_URL/v1/leads/${lead:-none}"
check "administration" '.count >= 1' as_admin "$API_BASE_URL/v1/admin/leads"
check "heartbeat" '.jobs | all(.ok)' as_admin "$API_BASE_URL/v1/admin/jobs/status"
[ "$failures" = 0 ]
