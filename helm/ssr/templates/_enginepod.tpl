{{/* The pod of an engine, of a Deployment or of a LeaderWorkerSet. */}}

{{/* metadata and spec of its template. Of (list $ engine role), as "ssr.engineProcess". */}}
{{- define "ssr.enginePod" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $engine := get $root.Values.engines $name -}}
{{- $component := printf "engine-%s" $name -}}
{{- $loads := ne $engine.kind "simulated" -}}
{{- $cache := $engine.cache -}}
metadata:
  labels:
    {{- include "ssr.podLabels" (list $root $component $engine) | nindent 4 }}
  {{- include "ssr.podAnnotations" (list $root $component $engine) | nindent 2 }}
spec:
  {{- include "ssr.podSecurity" (list $root $component $engine (include "ssr.engineUser" $engine)) | nindent 2 }}
  {{- with $engine.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ add (int $engine.preStopSeconds) (int $engine.graceSeconds) 5 }}
  {{- include "ssr.placement" (list $root $component $engine) | nindent 2 }}
  {{- if or $engine.consensus.enabled $engine.initContainers }}
  initContainers:
    {{- if $engine.consensus.enabled }}
    {{- include "ssr.consensusFiles" $root | nindent 4 }}
    {{- end }}
    {{- with $engine.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - name: engine
      {{- include "ssr.engineProcess" . | nindent 6 }}
      {{- if ne (index . 2) "worker" }}
      ports:
        - {name: http, containerPort: 8080}
      {{- include "ssr.engineProbes" $engine | nindent 6 }}
      {{- end }}
      {{- include "ssr.preStop" $engine.preStopSeconds | nindent 6 }}
      {{- include "ssr.containerSecurity" (list $engine.securityContext $engine.writableRoot) | nindent 6 }}
      resources:
        {{- include "ssr.engineResources" $engine | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if $loads }}
        - {name: shm, mountPath: /dev/shm}
        - {name: models, mountPath: /data}
        {{- if $cache.image }}
        - {name: weights, mountPath: /weights, readOnly: true}
        {{- end }}
        {{- end }}
        {{- if $engine.consensus.enabled }}
        - {name: consensus, mountPath: /consensus, readOnly: true}
        {{- if $root.Values.metrics.enabled }}
        - {name: metrics, mountPath: /metrics}
        {{- end }}
        {{- end }}
        {{- with $engine.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if $loads }}
    - name: shm
      emptyDir: {medium: Memory, sizeLimit: {{ $engine.shmSize }}}
    - name: models
      {{- if $cache.hostPath }}
      hostPath: {path: {{ $cache.hostPath | quote }}, type: Directory}
      {{- else if $cache.enabled }}
      persistentVolumeClaim:
        claimName: {{ default (printf "%s-%s" (include "ssr.fullname" $root) $component) $cache.existingClaim }}
      {{- else }}
      emptyDir: {}
      {{- end }}
    {{- with $cache.image }}
    - name: weights
      image: {reference: {{ include "ssr.imageFrom" (list $root .) | quote }}, pullPolicy: IfNotPresent}
    {{- end }}
    {{- end }}
    {{- if $engine.consensus.enabled }}
    - name: consensus
      emptyDir: {sizeLimit: 16Mi}
    {{- if $root.Values.metrics.enabled }}
    - name: metrics
      emptyDir: {sizeLimit: 256Mi}
    {{- end }}
    {{- end }}
    {{- with $engine.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Of an engine. SGLang's /health generates a token, for which it takes seconds under load: it is asked whether it lives,
and /ready whether it serves. */}}
{{- define "ssr.engineProbes" -}}
{{- $ready := ternary "/ready" "/health" (eq .kind "sglang") -}}
# The server listens once the model is downloaded, loaded and warmed up.
startupProbe:
  httpGet: {path: {{ $ready }}, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: {{ ceil (divf .startupSeconds 5) | int }}
readinessProbe:
  httpGet: {path: {{ $ready }}, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
# Patient: an engine under full load is slow to answer, and its restart costs minutes.
livenessProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: {{ ternary 30 15 (eq .kind "sglang") }}
  timeoutSeconds: {{ ternary 25 15 (eq .kind "sglang") }}
  failureThreshold: 8
{{- end -}}
