# What `stacks check` asks of the compose projects. Sourced, never run; it wants `checks.sh`.

# in_project NAME RELEASE : a clone of the project, in a directory of its own, which the rest of the part works in.
in_project() {
    project=lab-check-$1
    here=$checks_dir/$1
    rm -rf -- "$here"
    git clone -q "$RUNBOOK_LAB_STACKS/$1.git" "$here"
    cd "$here"
    release "$2"
}

release() { git checkout -q "$1"; }
dc() { docker compose --progress quiet --project-name "$project" "$@"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
container() { dc ps -aq "$1"; }
health_is() { says "$1" docker inspect -f '{{.State.Health.Status}}' $(container "$2"); }
restarted() { test "$(docker inspect -f '{{.RestartCount}}' "$(container "$1")")" -ge 2; }
get() { curl -sS --fail-with-body --max-time 10 "$@"; }
answers() { says "$1" get "${@:2}"; }
set_in() { sed -i "s|^$2=.*|$2=$3|" "$1"; }
nothing_left() { test -z "$(docker ps -aq --filter "label=com.docker.compose.project=$project")$(docker volume ls -q --filter "label=com.docker.compose.project=$project")"; }

# gone PROJECT-PART : takes the project away with its volumes and the images built for it.
gone() {
    check "$1: it is taken away" dc down -v --remove-orphans --rmi local -t 3
    check "$1: and nothing is left" nothing_left
}

# ---- cleaning ----

cleaning_migrates() { dc run --rm --no-deps -T api alembic "$@"; }
cleaning_up() { dc build -q && dc up -d && soon 60 answers '"ok":true' "$site/readyz"; }

cleaning() {
    in_project cleaning v1.0.0
    local http api
    http=$(free_port) api=$(free_port) site=http://localhost:$http
    cp .env.example .env
    for pair in HTTP_PORT="$http" API_PORT="$api" WEB_PORT="$(free_port)" HTTPS_PORT="$(free_port)" \
        ADMIN_PASS=lab-admin-password; do set_in .env "${pair%%=*}" "${pair#*=}"; done
    export COMPOSE_PROJECT_NAME=$project API_BASE_URL=$site WEB_BASE_URL=$site ADMIN_USER=admin ADMIN_PASS=lab-admin-password
    export BACKUP_DIR=$checks_dir/backups

    check "cleaning: the file is valid" dc config -q
    check "cleaning: build" dc build -q
    check "cleaning: the database starts" dc up -d db
    check "cleaning: and is ready" soon 30 dc exec -T db pg_isready -U postgres -d cleaning
    check "cleaning: migrations" cleaning_migrates upgrade head
    check "cleaning: everything starts" dc up -d
    check "cleaning: the API is healthy" soon 40 health_is healthy api
    check "cleaning: ready through Caddy" soon 30 answers '"ok":true' "$site/readyz"
    check "cleaning: with a certificate of Caddy's own" answers '"status":"ok"' -k \
        --connect-to "::localhost:$(sed -n 's/^HTTPS_PORT=//p' .env)" https://api.panidobro.com/healthz
    check "cleaning: smoke test" scripts/smoke.sh
    check "cleaning: backup" ops/backup.sh
    check "cleaning: and its marker" says cleaning- cat "$BACKUP_DIR/LAST_SUCCESS.txt"
    check "cleaning: a lead" answers '"id"' "$site/v1/leads" -H 'Content-Type: application/json' -d '{"name": "Ada", "phone": "123"}'
    check "cleaning: the document's own line reaches the database" says successful dc exec -T api python -c '
from app.infra.db import get_session_factory
import asyncio
asyncio.run(get_session_factory().__anext__())
print("successful")'
    cleaning_claims

    release v1.1.0
    check "v1.1.0: by the document's build, down and up" eval 'dc build -q && dc down && dc up -d'
    check "v1.1.0: runs" soon 60 answers '"factor":1.6' "$site/v1/services"
    release v1.2.0
    check "v1.2.0: build" dc build -q
    check "v1.2.0: migrations" cleaning_migrates upgrade head
    check "v1.2.0: runs, and the lead is there" eval 'cleaning_up && says "\"source\":\"web\"" get "$site/v1/leads/2"'
    check "v1.2.0: the document's comparison finds no revision" test -z "$(dc exec -T api alembic current 2>/dev/null | grep -oP '[a-f0-9]{12}')"
    release v1.1.0
    dc build -q
    check "v1.1.0 does not know the revision of v1.2.0" fails_with "Can't locate revision" cleaning_migrates current
    release v1.3.0
    check "v1.3.0: starts without its variable" eval 'dc build -q && dc up -d'
    check "v1.3.0: and says which" soon 30 says 'BOOKING_LINK_SECRET is not set' dc logs api
    echo BOOKING_LINK_SECRET=lab-booking-link-secret-0123456789 >>.env
    check "v1.3.0: runs with it" cleaning_up
    release v1.2.0
    check "v1.2.0: downgrade" eval 'dc build -q && cleaning_migrates downgrade 8d2f6a41c3b7'

    release unhealthy
    check "unhealthy: starts" eval 'dc build -q && dc up -d'
    check "unhealthy: and is not" soon 40 health_is unhealthy api
    check "unhealthy: why" says 'payment service does not answer' dc logs --tail 20 api
    release crash-loop
    check "crash-loop: starts" eval 'dc build -q && dc up -d'
    check "crash-loop: again and again" soon 40 restarted api
    check "crash-loop: why" says 'cannot warm up the cache' dc logs --tail 20 api
    release slow-start
    check "slow-start: starts" eval 'dc build -q && dc up -d'
    local start=$SECONDS
    check "slow-start: is healthy later" soon 40 health_is healthy api
    check "slow-start: after its twelve seconds" test $((SECONDS - start)) -ge 10
    release leaks-errors
    echo LEAK_AFTER_SECONDS=3 >>.env
    check "leaks-errors: healthy" cleaning_up
    check "leaks-errors: errors in the log" soon 20 says 'ERROR pool connection was not given back' dc logs --tail 20 api
    release broken-build
    check "broken-build" fails_with 'start.html' dc build web
    release broken-compose
    check "broken-compose" fails_with mem_limit dc config -q
    release bad-migration
    dc build -q
    check "bad-migration: fails" fails_with 'relation "old_audit" does not exist' cleaning_migrates upgrade head
    check "bad-migration: half way" dc exec -T db psql -U postgres -qAtX -v ON_ERROR_STOP=1 cleaning -c 'SELECT audited_at FROM leads'
    release two-heads
    dc build -q
    check "two-heads" fails_with 'Multiple head revisions' cleaning_migrates upgrade head
    release two-migrations
    dc build -q
    check "two-migrations: upgrade" cleaning_migrates upgrade head
    check "two-migrations: downgrade" cleaning_migrates downgrade 8d2f6a41c3b7
    release irreversible
    dc build -q
    check "irreversible: upgrade" cleaning_migrates upgrade head
    check "irreversible: downgrade" fails_with 'telephone numbers are gone' cleaning_migrates downgrade -1
    gone cleaning
    unset COMPOSE_PROJECT_NAME API_BASE_URL WEB_BASE_URL ADMIN_USER ADMIN_PASS BACKUP_DIR
}

# What was found out about the document's commands must be so here too.
cleaning_claims() {
    check "E5.7: jq cannot read what compose ps prints" fails_with 'Cannot index' eval 'dc ps --format json | jq -r ".[] | .State"'
    check "E13: psql ends well over existing tables" eval \
        'gunzip -c "$BACKUP_DIR"/cleaning-*.gz | dc exec -T db psql -q -U postgres cleaning 2>&1 | grep "already exists" && [ "${PIPESTATUS[1]}" = 0 ]'
    check "E7: head hides that nobody answers" eval '(set +o pipefail; curl -fsS -I http://localhost:1/ | head -1)'
}

# ---- sbf ----

sbf_wait() { soon 60 eval "health_is healthy api && says '\"version\":\"$1\"' get $site/api/v1/health"; }
sbf_release() { "$stacks" publish "$1" "$prefix" && dc pull -q && dc up -d; }

sbf() {
    in_project sbf v1
    local port prefix=$RUNBOOK_LAB_REGISTRY/lab-check/sbf
    port=$(free_port) site=http://localhost:$port
    sed 's/<from-secrets-manager>/lab-secret-0123456789-0123456789-0123456789/' .env.example >.env.production
    printf '%s\n' "SBF_IMAGES=$prefix" "HTTP_PORT=$port" >>.env.production
    export COMPOSE_PROJECT_NAME=$project COMPOSE_FILE=docker-compose.prod.yml COMPOSE_ENV_FILES=.env.production
    export BACKUP_DIR=$checks_dir/backups DOCKER_CONFIG=$checks_dir/docker

    check "sbf: the registry wants a login" fails_with 'no basic auth credentials' dc pull
    check "sbf: login" docker login -u "$RUNBOOK_LAB_REGISTRY_USER" --password-stdin "$RUNBOOK_LAB_REGISTRY" \
        <<<"$RUNBOOK_LAB_REGISTRY_PASSWORD"
    check "sbf: a pipeline publishes v1" "$stacks" publish v1 "$prefix"
    check "sbf: pull" dc pull -q
    check "sbf: migrations" dc run --rm -T api python -m alembic upgrade head
    check "sbf: everything starts" dc up -d
    check "sbf: v1 through nginx" sbf_wait 1.0.0
    check "sbf: ready" env API_URL="$site" scripts/health-check.sh
    token=$(dc exec -T api python -m app.token check)
    check "sbf: notebooks want a token" fails_with 401 get "$site/api/v1/notebooks"
    check "sbf: a notebook is written" answers '"id":1' "$site/api/v1/notebooks" -H "Authorization: Bearer $token" \
        -H 'Content-Type: application/json' -d '{"title": "First #lab", "text": "three short words"}'
    check "sbf: the worker counts its words" soon 20 answers '"words":3' "$site/api/v1/notebooks" -H "Authorization: Bearer $token"
    check "sbf: two instances answer" soon 20 sbf_instances 2
    check "sbf: backup" scripts/backup-db.sh

    local before
    before=$(dc ps -q api | sort)
    check "D6.5: v2 is pulled" eval '"$stacks" publish v2 "$prefix" && dc pull -q'
    check "D6.5: scaled up" dc up -d --no-deps --scale api=3 api
    check "D6.5: recreates what ran" test -z "$(comm -12 <(echo "$before") <(dc ps -q api | sort))"
    check "D6.5: scaled down" dc up -d --no-deps --scale api=2 api
    check "sbf: v2 through nginx" sbf_wait 2.0.0
    check "D6.5: a fixed port is for one" fails_with 'port is already allocated' \
        env COMPOSE_FILE=docker-compose.prod.yml:docker-compose.fixed-port.yml API_PORT="$(free_port)" \
        docker compose --project-name "$project" up -d --no-deps --scale api=2 api
    check "v3: pull" eval '"$stacks" publish v3 "$prefix" && dc pull -q'
    check "v3: migrations" dc run --rm -T api python -m alembic upgrade head
    check "v2 works with the schema of v3" answers '"title":"First #lab"' "$site/api/v1/notebooks" -H "Authorization: Bearer $token"
    check "v3: starts" dc up -d
    check "v3: through nginx" sbf_wait 3.0.0
    check "v3: the data came along" answers '"tags":["lab"]' "$site/api/v1/notebooks" -H "Authorization: Bearer $token"
    check "v3: downgrade" dc run --rm -T api python -m alembic downgrade -1
    check "hotfix: by the name of its commit" docker pull -q "$RUNBOOK_LAB_REGISTRY/sbf/api:hotfix-$(git rev-parse hotfix)"
    check "hotfix: a bad one" docker pull -q "$RUNBOOK_LAB_REGISTRY/sbf/api:hotfix-$(git rev-parse unhealthy)"
    docker rmi "$RUNBOOK_LAB_REGISTRY/sbf/api:hotfix-$(git rev-parse hotfix)" \
        "$RUNBOOK_LAB_REGISTRY/sbf/api:hotfix-$(git rev-parse unhealthy)" >/dev/null
    check "unhealthy: starts" sbf_release unhealthy
    check "unhealthy: and is not" soon 60 health_is unhealthy api
    check "crash-loop: starts" sbf_release crash-loop
    check "crash-loop: why" soon 40 says 'cannot warm up the cache' dc logs --tail 20 api
    check "slow: starts" sbf_release slow
    check "slow: is healthy later" soon 60 health_is healthy api
    check "half-way: its migration fails" eval '"$stacks" publish half-way "$prefix" && dc pull -q &&
        fails_with "old_audit" dc run --rm -T api python -m alembic upgrade head'
    gone sbf
    docker images --format '{{.Repository}}:{{.Tag}}' | grep "^$prefix/" | xargs -r docker rmi >/dev/null 2>&1 || true
    unset COMPOSE_PROJECT_NAME COMPOSE_FILE COMPOSE_ENV_FILES BACKUP_DIR DOCKER_CONFIG
}

sbf_instances() {
    local i
    test "$(for i in $(seq 10); do get "$site/api/v1/health" | jq -r .instance; done | sort -u | wc -l)" = "$1"
}

# ---- sentinal ----

sentinel() { dc exec -T redis-sentinel-1 redis-cli -e -p 26379 --json sentinel "$@"; }
master_is() { says "$1" sentinel get-master-addr-by-name mymaster; }
api_get() { get --cacert "$checks_dir/sentinal.pem" "https://localhost:$https$1" "${@:2}"; }
login() {
    api_get /api/auth/login -H 'Content-Type: application/json' -d '{"email":"analyst@sentinal.ai","password":"SecurePass123!"}'
}
api_instances() {
    local i
    test "$(for i in $(seq 12); do api_get /health | jq -r .instance_id; done | sort -u | paste -sd' ')" = "$*"
}
all_healthy() { test -z "$(dc ps -a --format '{{.Service}} {{.Status}}' | grep -v '(healthy)' | grep -vE '^(frontend|outside) Up')"; }
targets_up() { says "[\"up\",$1]" eval "get http://localhost:$prometheus/api/v1/targets | jq -c '[.data.activeTargets[].health] | group_by(.)[] | [.[0], length]'"; }
outside_got() { says "$2" get "http://localhost:$outside/received?kind=$1"; }

sentinal() {
    in_project sentinal v1
    local https prometheus alertmanager grafana jaeger outside port
    for port in https prometheus alertmanager grafana jaeger outside; do printf -v "$port" %s "$(free_port)"; done
    cp python/.env.example python/.env
    for pair in JWT_SECRET_KEY JWT_REFRESH_SECRET_KEY REDIS_PASSWORD GRAFANA_ADMIN_PASSWORD; do
        set_in python/.env "$pair" "lab-$pair-0123456789-0123456789"
    done
    printf '%s\n' "HTTP_PORT=$(free_port)" "HTTPS_PORT=$https" "PROMETHEUS_PORT=$prometheus" "ALERTMANAGER_PORT=$alertmanager" \
        "GRAFANA_PORT=$grafana" "JAEGER_PORT=$jaeger" "OUTSIDE_PORT=$outside" >>python/.env
    export COMPOSE_PROJECT_NAME=$project COMPOSE_ENV_FILES=python/.env

    check "sentinal: build" dc build -q
    check "sentinal: Redis starts" dc up -d redis-master redis-replica-1 redis-replica-2
    check "sentinal: the sentinels start" dc up -d redis-sentinel-1 redis-sentinel-2 redis-sentinel-3
    check "sentinal: what watches starts" dc up -d prometheus alertmanager grafana jaeger outside
    check "sentinal: the instances start" dc up -d api-1 api-2 api-3
    check "sentinal: load balancer and frontend start" dc up -d nginx frontend
    check "sentinal: all are healthy" soon 60 all_healthy
    dc cp nginx:/etc/nginx/ssl/cert.pem "$checks_dir/sentinal.pem" >/dev/null
    check "sentinal: healthy behind TLS" says '"status":"healthy"' api_get /health
    check "sentinal: ready" soon 20 says '"status":"ready"' api_get /health/ready
    check "sentinal: the frontend" says Sentinal api_get /
    check "sentinal: three instances answer" api_instances api-1 api-2 api-3
    check "sentinal: the master" master_is redis-master
    check "sentinal: two replicas, two other sentinels" soon 20 says '2 2' \
        eval 'sentinel master mymaster | jq -r "\"\(.[\"num-slaves\"]) \(.[\"num-other-sentinels\"])\""'
    check "sentinal: quorum" says OK sentinel ckquorum mymaster
    token=$(login | jq -r .access_token)
    check "sentinal: analysis wants a token" fails_with 401 api_get /api/analyze/77 -X POST
    check "sentinal: analysis" says '"account_id":77' api_get /api/analyze/77 -X POST -H "Authorization: Bearer $token"
    check "sentinal: again, from the cache" says '"cached":true' api_get /api/analyze/77 -X POST -H "Authorization: Bearer $token"
    check "sentinal: ten logins, then 429" test "$(for _ in $(seq 12); do login -o /dev/null -w '%{http_code} ' 2>/dev/null; done)" \
        = "200 200 200 200 200 200 200 200 200 429 429 429 "

    check "Prometheus: five targets are up" soon 30 targets_up 5
    check "Prometheus: has data" soon 20 says '"value"' get "http://localhost:$prometheus/api/v1/query?query=http_requests_total"
    check "Alertmanager: its configuration is loaded" says '"slack"' get "http://localhost:$alertmanager/api/v2/receivers"
    check "B19: there is no API v1 to post an alert to" fails_with 'error: 40' get -X POST "http://localhost:$prometheus/api/v1/alerts" -d '[]'
    check "Alertmanager: takes an alert" get -X POST "http://localhost:$alertmanager/api/v2/alerts" -H 'Content-Type: application/json' \
        -d '[{"labels":{"alertname":"test","severity":"critical"},"annotations":{"summary":"a test"}}]'
    check "Slack: is told" soon 20 outside_got slack '"a test'
    check "PagerDuty: is told" soon 20 outside_got pagerduty '"event_action": "trigger"'
    check "Grafana: wants a password" fails_with 401 get "http://localhost:$grafana/api/search"
    grafana_get() { get -u "admin:lab-GRAFANA_ADMIN_PASSWORD-0123456789-0123456789" "http://localhost:$grafana$1" "${@:2}"; }
    check "Grafana: a dashboard" says '"Sentinal API"' grafana_get /api/dashboards/uid/sentinal-api
    check "Grafana: its data source" says '"OK"' grafana_get /api/datasources/uid/prometheus/health
    check "Grafana: has data" says '[[' grafana_get /api/ds/query -H 'Content-Type: application/json' \
        -d '{"from":"now-1m","to":"now","queries":[{"refId":"A","expr":"up","datasource":{"uid":"prometheus"}}]}'
    check "Jaeger: knows the service" soon 20 says sentinal-api get "http://localhost:$jaeger/api/services"
    check "Jaeger: has the analysis" says '"POST /api/analyze/{account}"' get "http://localhost:$jaeger/api/traces?service=sentinal-api"

    check "failover: asked for" says OK sentinel failover mymaster
    check "failover: another master" soon 30 master_is redis-replica
    check "failover: the API finds it" soon 30 says '"status":"ready"' api_get /health/ready
    check "failover: the old one follows" soon 30 says role:slave dc exec -T redis-master redis-cli info replication
    release v2
    check "v2: one instance" eval 'dc build -q api-3 && dc up -d --no-deps api-3 && soon 30 health_is healthy api-3'
    check "v2: it answers" says '"version":"2.0.0"' dc exec -T api-3 curl -fsS http://localhost:8000/health
    check "a rule fires when an instance is down" eval 'dc stop -t 1 api-2 && soon 40 outside_got pagerduty ApiInstanceDown'
    release unhealthy
    check "unhealthy: starts" eval 'dc build -q api-3 && dc up -d --no-deps api-3'
    check "unhealthy: and is not" soon 40 health_is unhealthy api-3
    release crash-loop
    check "crash-loop: starts" eval 'dc build -q api-3 && dc up -d --no-deps api-3'
    check "crash-loop: again and again" soon 40 restarted api-3
    release slow
    check "slow: is healthy later" eval 'dc build -q api-3 && dc up -d --no-deps api-3 && soon 40 health_is healthy api-3'
    release api-4
    check "B13: nginx does not start without the instance it is to know" eval 'dc build -q nginx api-4 &&
        fails_with "host not found in upstream" dc run --rm --no-deps -T nginx nginx -t'
    gone sentinal
    unset COMPOSE_PROJECT_NAME COMPOSE_ENV_FILES
}

stack_checks() {
    local part parts=("$@")
    [ $# -gt 0 ] || parts=(cleaning sbf sentinal)
    checks_dir=$(mktemp -d)
    stacks=$PWD/stacks
    trap 'rm -rf -- "$checks_dir"' EXIT
    for part in "${parts[@]}"; do "$part"; done
    [ "$failures" = 0 ] || { echo "$failures wrong"; exit 1; }
}
