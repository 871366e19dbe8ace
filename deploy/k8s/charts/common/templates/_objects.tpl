{{/*
Every object of a service's chart. A part is what one Deployment runs: `name` ("auth", "portfolio-worker"), `component`
("service", "worker"), `service` that it belongs to, its `values`, and what it `declared` in the graph.
*/}}
{{- define "common.objects" -}}
{{- $declared := index (include "common.graph" . | fromYaml).services .Chart.Name -}}
{{- include "common.part" (dict "root" . "service" .Chart.Name "name" .Chart.Name "component" "service" "values" .Values "declared" $declared) }}
{{- with $declared.worker }}
{{- $settings := mustMerge (deepCopy $.Values.worker.settings) $.Values.settings }}
{{- $values := mustMerge (dict "settings" $settings "secrets" (dict)) (omit $.Values.worker "settings") }}
{{- $worker := mustMerge (dict "ports" (pick $declared.ports "ops")) . }}
{{- include "common.part" (dict "root" $ "service" $.Chart.Name "name" (printf "%s-worker" $.Chart.Name) "component" "worker" "values" $values "declared" $worker) }}
{{- end }}
{{- end -}}

{{- define "common.part" -}}
{{- range list "serviceAccount" "configMap" "secret" "externalSecret" "certificate" "networkPolicy" "service" "deployment" "horizontalPodAutoscaler" "scaledObject" "podDisruptionBudget" "serviceMonitor" }}
{{- with include (printf "common.%s" .) $ | trim }}
---
{{ . }}
{{- end }}
{{- end }}
{{- end -}}
