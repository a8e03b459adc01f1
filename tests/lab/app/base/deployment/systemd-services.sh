#!/bin/bash
# Installs the two units. It neither enables nor starts them.
set -e
cd "$(dirname "$0")"
install -m 644 marb2.0.service marb2.0-celery.service /etc/systemd/system/
systemctl daemon-reload
