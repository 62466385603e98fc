{{/* What the pods of all components have in common. */}}

{{/* Only the autoscaler's pods have a token: nobody else talks to Kubernetes. Of (list $ component runAsUser). */}}
{{- define "ssr.podSecurity" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "ssr.fullname" $root }}-{{ index . 1 }}
automountServiceAccountToken: {{ eq (index . 1) "autoscaler" }}
# A Service called ssr-orchestrator would set SSR_ORCHESTRATOR_PORT, one called vllm VLLM_PORT.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ index . 2 | int64 }}
  runAsGroup: {{ index . 2 | int64 }}
  fsGroup: {{ index . 2 | int64 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Of a container. The argument tells whether its root file system may be written to. */}}
{{- define "ssr.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: {{ not . }}
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where a pod may and should run. Of (list $ component values). */}}
{{- define "ssr.placement" -}}
{{- $values := index . 2 -}}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ssr.selectorLabels" (list (index $ 0) (index $ 1)) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end -}}

{{/* Going on for a while after the pod left its Service. The argument: seconds. */}}
{{- define "ssr.preStop" -}}
{{- if gt (int .) 0 }}
lifecycle:
  preStop:
    sleep: {seconds: {{ int . }}}
{{- end }}
{{- end -}}

{{/* The three probes of a service. Of (list $ service). */}}
{{- define "ssr.grpcProbes" -}}
{{- $port := include (ternary "ssr.healthPort" "ssr.grpcPort" (eq (include "ssr.hasTls" .) "true")) . -}}
startupProbe:
  grpc: {port: {{ $port }}}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
readinessProbe:
  grpc: {port: {{ $port }}{{ if eq (index . 1) "orchestrator" }}, service: ssr.v1.ReasoningService{{ end }}}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  grpc: {port: {{ $port }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{- define "ssr.grpcPort" -}}
{{- include "ssr.port" (index . 1) -}}
{{- end -}}

{{/* The files of a service that come from Secrets, which the kubelet keeps up to date. Of (list $ service). */}}
{{- define "ssr.secretMounts" -}}
{{- range splitList "," (include "ssr.secretsOf" .) | compact }}
{{- $place := first (splitList "=" .) }}
- {name: {{ $place }}, mountPath: /{{ $place }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "ssr.secretVolumes" -}}
{{- range splitList "," (include "ssr.secretsOf" .) | compact }}
- name: {{ first (splitList "=" .) }}
  secret: {secretName: {{ last (splitList "=" .) }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* "folder=Secret", comma-separated. Of (list $ service). */}}
{{- define "ssr.secretsOf" -}}
{{- $root := index . 0 -}}
{{- $secrets := list -}}
{{- if eq (include "ssr.hasTls" .) "true" -}}
{{- $secrets = append $secrets (printf "tls=%s" (include "ssr.tlsSecret" .)) -}}
{{- end -}}
{{- if and (eq (index . 1) "orchestrator") $root.Values.api.keysSecret -}}
{{- $secrets = append $secrets (printf "keys=%s" $root.Values.api.keysSecret) -}}
{{- end -}}
{{- if and (eq (include "ssr.usesRedis" .) "true") (eq $root.Values.redis.kind "external") $root.Values.redis.external.tlsSecret.name -}}
{{- $secrets = append $secrets (printf "redis-tls=%s" $root.Values.redis.external.tlsSecret.name) -}}
{{- end -}}
{{- join "," $secrets -}}
{{- end -}}

{{/* Objects that each component has: its ServiceAccount and PodDisruptionBudget. Of (list $ component). */}}
{{- define "ssr.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "ssr.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{- define "ssr.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "ssr.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready serves nobody, and must not keep a node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "ssr.selectorLabels" . | nindent 6 }}
{{- end -}}
