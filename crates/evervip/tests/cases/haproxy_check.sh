#!/bin/bash
# @...@ is filled in by the test. The pause must be shorter than the script's interval: a run that takes longer is
# terminated before it comes to its end, by keepalived as well.
START_HAPROXY="@START@"
LOG_FILE="@LOG@"
HAPS=$(ps -C haproxy --no-header | wc -l)
date "+%Y-%m-%d %H:%M:%S" >>"$LOG_FILE"
echo "check haproxy status" >>"$LOG_FILE"
if [ "$HAPS" -eq 0 ]; then
    echo "$START_HAPROXY" >>"$LOG_FILE"
    $START_HAPROXY >>"$LOG_FILE" 2>&1
    sleep 1
    if [ "$(ps -C haproxy --no-header | wc -l)" -eq 0 ]; then
        echo "start haproxy failed, killall keepalived" >>"$LOG_FILE"
        killall keepalived
    fi
fi
