#!/bin/bash
# As the document says it; see the runbook's table of claims for what is wrong with it.
cd "$(dirname "$0")/.."
source .env
BACKUP_DIR="backups"
DATE=$(date +%Y%m%d_%H%M%S)
mkdir -p $BACKUP_DIR
pg_dump $DATABASE_URL > $BACKUP_DIR/db_backup_$DATE.sql
gzip $BACKUP_DIR/db_backup_$DATE.sql
