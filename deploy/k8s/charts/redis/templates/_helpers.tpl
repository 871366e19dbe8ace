{{- define "redis.replicated" -}}
{{- if gt (int .Values.replicas) 1 -}}
true
{{- end -}}
{{- end -}}

{{/*
Prints the host of the primary: what a Sentinel says, or the first pod where none answers yet. All Sentinels gone at once
is all pods gone at once: then the first pod's data counts.
*/}}
{{- define "redis.primary" -}}
primary() {
  for number in {{ until (int .Values.replicas) | join " " }}; do
    found=$(timeout 2 redis-cli -h "redis-$number.redis-headless" -p 26379 --raw \
      sentinel get-master-addr-by-name quantmesh 2>/dev/null | head -n 1)
    case $found in redis-*) echo "$found"; return ;; esac
  done
  echo redis-0.redis-headless
}
{{- end -}}

{{- define "redis.serverScript" -}}
set -eu
umask 077
cat > /run/redis/redis.conf <<END
dir /data
port 6379
protected-mode no
requirepass $REDIS_PASSWORD
appendonly yes
appendfsync everysec
save ""
maxmemory {{ .Values.maximumMemory }}
maxmemory-policy volatile-lru
END
{{- if include "redis.replicated" . }}
{{ include "redis.primary" . }}
own=$POD_NAME.redis-headless
cat >> /run/redis/redis.conf <<END
masterauth $REDIS_PASSWORD
replica-announce-ip $own
END
primary=$(primary)
if [ "$primary" != "$own" ]; then
  echo "replicaof $primary 6379" >> /run/redis/redis.conf
fi
{{- end }}
exec redis-server /run/redis/redis.conf
{{- end -}}

{{- define "redis.sentinelScript" -}}
set -eu
umask 077
{{ include "redis.primary" . }}
primary=$(primary)
# A Sentinel does not start with a name that nobody knows, and a pod's name is known a moment after the pod.
until getent hosts "$primary" > /dev/null && getent hosts "$POD_NAME.redis-headless" > /dev/null; do sleep 1; done
cat > /run/redis/sentinel.conf <<END
dir /run/redis
port 26379
protected-mode no
requirepass $REDIS_PASSWORD
sentinel sentinel-pass $REDIS_PASSWORD
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $POD_NAME.redis-headless
sentinel monitor quantmesh $primary 6379 {{ add 1 (div (int .Values.replicas) 2) }}
sentinel auth-pass quantmesh $REDIS_PASSWORD
sentinel down-after-milliseconds quantmesh {{ int .Values.sentinel.downAfterMilliseconds }}
sentinel failover-timeout quantmesh {{ int .Values.sentinel.failoverTimeoutMilliseconds }}
sentinel parallel-syncs quantmesh 1
END
exec redis-sentinel /run/redis/sentinel.conf
{{- end -}}

{{/* What the server and the Sentinel beside it share. `dict "root" $ "script" file`. */}}
{{- define "redis.container" -}}
image: {{ include "common.image" (dict "root" .root "name" "redis") }}
imagePullPolicy: {{ .root.Values.global.imagePullPolicy }}
command: [sh, /etc/redis/{{ .script }}]
env:
  - name: POD_NAME
    valueFrom:
      fieldRef: {fieldPath: metadata.name}
  {{- range list "REDIS_PASSWORD" "REDISCLI_AUTH" }}
  - name: {{ . }}
    valueFrom:
      secretKeyRef: {name: redis, key: password}
  {{- end }}
securityContext:
  {{- include "common.containerSecurity" .root | nindent 2 }}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: scripts, mountPath: /etc/redis, readOnly: true}
  - {name: run, mountPath: /run/redis}
{{- end -}}
