{{/* Whether parts speak TLS themselves: "true" or nothing. A service mesh does it in their place. */}}
{{- define "common.mtls" -}}
{{- if and .root.Values.global.mtls.enabled (not .root.Values.global.serviceMesh.enabled) -}}
true
{{- end -}}
{{- end -}}

{{- define "common.certificate" -}}
{{- if include "common.mtls" . -}}
{{- $mtls := .root.Values.global.mtls -}}
{{- $name := include "common.name" . -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {{ $name }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  secretName: {{ $name }}-tls
  commonName: {{ .name }}
  dnsNames:
    # The colours are one part to their peers, whoever asks under whichever name.
    {{- range uniq (list .name $name) }}
    - {{ . }}
    - {{ . }}.{{ $.root.Release.Namespace }}.svc
    {{- end }}
  duration: {{ $mtls.duration }}
  renewBefore: {{ $mtls.renewBefore }}
  usages: [digital signature, server auth, client auth]
  privateKey:
    algorithm: ECDSA
    size: 256
    rotationPolicy: Always
  issuerRef:
    group: cert-manager.io
    kind: {{ $mtls.issuer.kind }}
    name: {{ $mtls.issuer.name }}
{{- end }}
{{- end -}}
