{{- define "common.deployment" -}}
{{- $global := .root.Values.global -}}
{{- $name := include "common.name" . -}}
{{- $mtls := include "common.mtls" . -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  {{- if not .values.autoscaling.enabled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  # By then every client has looked the new pod's address up, and the next old one may go.
  minReadySeconds: 10
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "common.labels" . | nindent 8 }}
        {{- if $global.serviceMesh.enabled }}
        {{- toYaml $global.serviceMesh.podLabels | nindent 8 }}
        {{- end }}
      annotations:
        # A change of what the process reads at its start starts it anew.
        checksum/config: {{ list (include "common.environment" .) .values.secrets | toJson | sha256sum }}
        {{- if $global.serviceMesh.enabled }}
        {{- with $global.serviceMesh.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- end }}
    spec:
      serviceAccountName: {{ $name }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with $global.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "common.podSecurity" . | nindent 8 }}
      {{- include "common.nodes" .root | nindent 6 }}
      topologySpreadConstraints:
        {{- include "common.spread" . | trim | nindent 8 }}
      terminationGracePeriodSeconds: {{ include "common.gracePeriodSeconds" . }}
      containers:
        - name: {{ .component }}
          image: {{ include "common.image" (dict "root" .root "name" (hasKey $global.images .name | ternary .name .service)) }}
          imagePullPolicy: {{ $global.imagePullPolicy }}
          {{- if eq .component "worker" }}
          args: [worker]
          {{- end }}
          ports:
            {{- range $kind, $port := .declared.ports }}
            - {name: {{ $kind }}, containerPort: {{ $port }}}
            {{- end }}
          envFrom:
            - configMapRef:
                name: {{ $name }}
            {{- if .values.secrets }}
            - secretRef:
                name: {{ .service }}
            {{- end }}
          {{- with include "common.secretEnvironment" . | trim }}
          env:
            {{- . | nindent 12 }}
          {{- end }}
          # None of these asks another part, but that readiness says what the process knows of its servers.
          startupProbe:
            httpGet: {path: /healthz, port: ops}
            periodSeconds: 2
            failureThreshold: {{ div .values.startupSeconds 2 }}
          readinessProbe:
            httpGet: {path: /readyz, port: ops}
            periodSeconds: 2
            timeoutSeconds: 2
            failureThreshold: 2
          livenessProbe:
            httpGet: {path: /healthz, port: ops}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          lifecycle:
            preStop:
              sleep: {seconds: {{ $global.preStopSeconds }}}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "common.containerSecurity" . | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- if $mtls }}
            # As a whole: a renewed certificate comes into a mounted folder, not into a single file.
            - {name: tls, mountPath: /etc/quantmesh/tls, readOnly: true}
            {{- end }}
            {{- if .root.Values.registry }}
            - {name: registry, mountPath: /var/lib/quantmesh/registry}
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: {{ .values.temporarySize }}}
        {{- if $mtls }}
        - name: tls
          secret: {secretName: {{ $name }}-tls, defaultMode: 0440}
        {{- end }}
        {{- if .root.Values.registry }}
        - name: registry
          persistentVolumeClaim: {claimName: {{ .root.Values.registry.existingClaim | default (printf "%s-registry" .service) }}}
        {{- end }}
{{- end -}}
