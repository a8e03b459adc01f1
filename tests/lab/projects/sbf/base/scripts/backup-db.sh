#!/usr/bin/env bash
# Dumps the database: BACKUP_DIR/sbf-TIME.sql.gz.
set -euo pipefail
cd "$(dirname "$0")/.."
export COMPOSE_FILE=${COMPOSE_FILE:-docker-compose.prod.yml} COMPOSE_ENV_FILES=${COMPOSE_ENV_FILES:-.env.production}
dir=${BACKUP_DIR:-/backups}
umask 077
mkdir -p "$dir"
file=$dir/sbf-$(date -u +%Y%m%d-%H%M%S).sql.gz
trap 'rm -f -- "$file.part"' EXIT
docker compose exec -T postgres sh -c 'pg_dump -U "$POSTGRES_USER" "$POSTGRES_DB"' | gzip >"$file.part"
mv -- "$file.part" "$file"
echo "$file"
