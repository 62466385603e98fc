{{/* What the pods of all components have in common. */}}

{{/* Of (list $ component runAsUser). */}}
{{- define "ssr.podSecurity" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "ssr.fullname" $root }}-{{ index . 1 }}
automountServiceAccountToken: false
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
