# How `check` asks its questions. Sourced, never run.

failures=0

# check TITLE COMMAND... : the command must succeed.
check() {
    local title=$1 output start=$SECONDS
    shift
    if output=$("$@" 2>&1); then
        printf 'ok    %3d s  %s\n' $((SECONDS - start)) "$title"
    else
        printf 'WRONG %3d s  %s\n' $((SECONDS - start)) "$title"
        tail -n 15 <<<"$output" | sed 's/^/      /'
        failures=$((failures + 1))
    fi
}

# fails_with TEXT COMMAND... : the command must fail, and its output must say the text.
fails_with() {
    local text=$1 output
    shift
    ! output=$("$@" 2>&1) || { echo "succeeded: $output"; return 1; }
    grep -qF -- "$text" <<<"$output" || { echo "failed in another way: $output"; return 1; }
}

# says TEXT COMMAND... : the command must succeed, and its output must say the text.
says() {
    local text=$1 output
    shift
    output=$("$@" 2>&1) || { echo "failed: $output"; return 1; }
    grep -qF -- "$text" <<<"$output" || { echo "said: $output"; return 1; }
}

# soon SECONDS COMMAND... : the command must succeed within the time.
soon() {
    local deadline=$((SECONDS + $1)) output
    shift
    until output=$("$@" 2>&1); do
        [ "$SECONDS" -lt "$deadline" ] || { echo "$output"; return 1; }
        sleep 0.2
    done
}

inside() { docker exec -i "$RUNBOOK_LAB_CONTAINER" "$@"; }
as_marb() { docker exec -i -u marb -w /opt/marb2.0 "$RUNBOOK_LAB_CONTAINER" "$@"; }
over_ssh() { ssh -F "$RUNBOOK_LAB_SSH_CONFIG" -o BatchMode=yes "$@"; }
admin() { inside runuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 "$@"; }

# get PATH, post PATH BODY: from outside, through nginx and TLS, with a token.
api() {
    local path=$1
    shift
    curl -sS --fail-with-body --max-time 20 --cacert "$RUNBOOK_LAB_CA" \
        --resolve "$RUNBOOK_LAB_DOMAIN:443:$RUNBOOK_LAB_ADDRESS" -H "Authorization: Bearer ${token:-none}" \
        -H 'Content-Type: application/json' "$@" "https://$RUNBOOK_LAB_DOMAIN$path"
}
status() { api "$1" -o /dev/null -w '%{http_code}' || true; }
healthy() { says '"status":"healthy"' api /api/v1/health; }

# What the document does for an update, without its waits.
update() {
    inside lab-release "$1"
    as_marb git pull -q origin main
    as_marb venv/bin/pip install -q -r requirements.txt
    as_marb venv/bin/alembic -q upgrade head
    restart
}
restart() { inside systemctl restart marb2.0.service marb2.0-celery.service; }

# Code of a release, with no word to the services.
code() { as_marb git checkout -q "$1"; }

# A copy of the application's database, and alembic on it.
scratch() {
    admin -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS scratch' -c 'CREATE DATABASE scratch OWNER marb_user'
    inside runuser -u postgres -- sh -c 'pg_dump -Fc marb_risk_engine | pg_restore -d scratch'
}
scratch_url=postgresql://marb_user:lab-marb-password@localhost:5432/scratch
alembic() { as_marb env "DATABASE_URL=$scratch_url" MARB_MIGRATION_SECONDS=3 venv/bin/alembic "$@"; }
