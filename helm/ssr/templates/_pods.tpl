{{/* What the pods of all components have in common. */}}

{{/* The ServiceAccount of a component. Of (list $ component values). */}}
{{- define "ssr.accountName" -}}
{{- default (printf "%s-%s" (include "ssr.fullname" (index . 0)) (index . 1)) (index . 2).serviceAccount.name -}}
{{- end -}}

{{/* Only the autoscaler's pods have a token: nobody else talks to Kubernetes. `user` 0 is for servers whose image needs
root. Of (list $ component values user). */}}
{{- define "ssr.podSecurity" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
{{- $user := index . 3 | int64 -}}
serviceAccountName: {{ include "ssr.accountName" . }}
automountServiceAccountToken: {{ eq (index . 1) "autoscaler" }}
# A Service called ssr-orchestrator would set SSR_ORCHESTRATOR_PORT, one called vllm VLLM_PORT.
enableServiceLinks: false
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- $context := dict "runAsNonRoot" (gt $user 0) "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if or $root.Values.security.fixIds (eq $user 0) -}}
{{- $context = merge $context (dict "runAsUser" $user "runAsGroup" $user) -}}
{{- end -}}
{{- if $root.Values.security.fixIds -}}
{{- $group := ternary (int64 1000) $user (eq $user 0) -}}
{{- $context = merge $context (dict "fsGroup" $group "fsGroupChangePolicy" "OnRootMismatch") -}}
{{- end }}
securityContext:
  {{- mergeOverwrite $context (deepCopy $values.podSecurityContext) | toYaml | nindent 2 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Of a container. Of (list changes writable): whether its root file system may be written to. */}}
{{- define "ssr.containerSecurity" -}}
{{- $context := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" (not (index . 1)) "capabilities" (dict "drop" (list "ALL")) -}}
securityContext:
  {{- mergeOverwrite $context (deepCopy (index . 0)) | toYaml | nindent 2 }}
{{- end -}}

{{/* Annotations of a pod: the user's, and checksums of what it must be started anew for. Of (list $ component values). */}}
{{- define "ssr.podAnnotations" -}}
{{- with merge (include "ssr.checksums" . | fromJson) (index . 2).podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
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
  {{- with $values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ssr.selectorLabels" (list (index $ 0) (index $ 1)) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
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
{{- $port := include (ternary "ssr.healthPort" "ssr.grpcPort" (eq (include "ssr.hasHealthPort" .) "true")) . -}}
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

{{/* The three probes of the gateway. */}}
{{- define "ssr.httpProbes" -}}
startupProbe:
  httpGet: {path: /health, port: health}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /health, port: health}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /health, port: health}
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
{{- if eq (index . 1) "orchestrator" -}}
{{- with include "ssr.keysSecret" $root -}}
{{- $secrets = append $secrets (printf "keys=%s" .) -}}
{{- end -}}
{{- end -}}
{{- if and (eq (include "ssr.usesRedis" .) "true") (eq $root.Values.redis.kind "external") $root.Values.redis.external.tlsSecret.name -}}
{{- $secrets = append $secrets (printf "redis-tls=%s" $root.Values.redis.external.tlsSecret.name) -}}
{{- end -}}
{{- join "," $secrets -}}
{{- end -}}

{{/* How a Deployment is rolled. */}}
{{- define "ssr.strategy" -}}
{{- toYaml (ternary (omit . "rollingUpdate") . (eq (default "" .type) "Recreate")) -}}
{{- end -}}

{{/* Objects that each component has: its ServiceAccount, unless it has one of the user's, and its PodDisruptionBudget. Of
(list $ component values). */}}
{{- define "ssr.account" -}}
{{- $account := (index . 2).serviceAccount -}}
{{- if not $account.name -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "ssr.metadata" (list (index . 0) (index . 1) "" $account.labels) | nindent 2 }}
  {{- with $account.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
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
