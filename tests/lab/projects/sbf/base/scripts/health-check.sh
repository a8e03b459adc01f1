#!/usr/bin/env bash
# Asks the API whether it and what it depends on are ready; ends with 0 when all are.
set -euo pipefail
API_URL=${API_URL:-http://localhost:8000}
body=$(mktemp)
trap 'rm -f -- "$body"' EXIT
status=$(curl -s --max-time 10 -w '%{http_code}' -o "$body" "$API_URL/api/v1/health/ready") || true
jq -r '.checks | to_entries[] | "\(.key): \(.value)"' "$body" || true
[ "$status" = 200 ] || { echo "API health check failed (HTTP $status)"; exit 1; }
echo "API is healthy"
