{{/* Secrets that are not the part's own: what it is known by to auth, and the addresses of servers. */}}
{{- define "common.secretEnvironment" -}}
{{- if .declared.peers }}
- name: QUANTMESH_SERVICE_SECRET
  valueFrom:
    secretKeyRef: {name: service-secrets, key: {{ .service }}}
{{- end }}
{{- if eq .name "auth" }}
- name: QUANTMESH_AUTH_SERVICE_SECRETS
  valueFrom:
    secretKeyRef: {name: service-secrets, key: all}
{{- end }}
{{- $addresses := dict "postgres" "DATABASE" }}
{{- range .declared.servers }}
- name: QUANTMESH_{{ get $addresses . | default (upper .) }}_URL
  valueFrom:
    secretKeyRef:
      # A server that asks who comes has an address for each service.
      name: {{ has . (list "postgres" "nats") | ternary (printf "%s-%s" . $.service) . }}
      key: url
{{- end }}
{{- if .root.Values.global.sentry.enabled }}
- name: QUANTMESH_SENTRY_DSN
  valueFrom:
    secretKeyRef: {name: sentry, key: dsn}
{{- end }}
{{- end -}}
