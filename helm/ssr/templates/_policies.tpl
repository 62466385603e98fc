{{/* NetworkPolicies: one a component, which allows the arrows of the architecture and DNS, and nothing else. */}}

{{/* The pods of a component, as a peer. Of (list $ component). */}}
{{- define "ssr.peer" -}}
podSelector:
  matchLabels:
    {{- include "ssr.selectorLabels" . | nindent 4 }}
{{- end -}}

{{/* Calls to a component, as an egress rule. Of (list $ component port). */}}
{{- define "ssr.callsTo" -}}
- to:
    - {{- include "ssr.peer" (list (index . 0) (index . 1)) | nindent 6 }}
  ports:
    - {protocol: TCP, port: {{ index . 2 }}}
{{- end -}}

{{/* Look-ups of names, by whatever resolves them, a node's own cache too; and the rules that the user adds for all. */}}
{{- define "ssr.dns" -}}
- ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - {protocol: UDP, port: {{ int . }}}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Calls out of the release, as an egress rule. Of (list peers ports). */}}
{{- define "ssr.callsOut" -}}
- ports:
    {{- range index . 1 }}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
  {{- with index . 0 }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Calls to Redis, as an egress rule. */}}
{{- define "ssr.callsToRedis" -}}
{{- if eq .Values.redis.kind "valkey" -}}
{{- include "ssr.callsTo" (list . "redis" 6379) -}}
{{- else -}}
{{- include "ssr.callsOut" (list .Values.redis.external.peers .Values.redis.external.ports) -}}
{{- end -}}
{{- end -}}

{{/* Calls to the collector of traces, as an egress rule, where there is one. */}}
{{- define "ssr.callsToCollector" -}}
{{- with .Values.tracing.otlpEndpoint -}}
{{- include "ssr.callsOut" (list $.Values.networkPolicy.collector (splitList "," (include "ssr.urlPorts" (list .)))) -}}
{{- end -}}
{{- end -}}

{{/* Calls of Prometheus to a port, as an ingress rule, while there are metrics. Of (list $ port). */}}
{{- define "ssr.callsOfPrometheus" -}}
{{- if (index . 0).Values.metrics.enabled -}}
- ports:
    - {protocol: TCP, port: {{ index . 1 }}}
  {{- with (index . 0).Values.networkPolicy.prometheus }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* The ports of URLs, comma-separated. */}}
{{- define "ssr.urlPorts" -}}
{{- $ports := list -}}
{{- range . -}}
{{- $address := regexReplaceAll "^[a-z]+://([^/]+).*$" . "${1}" -}}
{{- $port := regexFind ":[0-9]+$" $address | trimPrefix ":" -}}
{{- $ports = append $ports (default (ternary "443" "80" (hasPrefix "https:" .)) $port) -}}
{{- end -}}
{{- $ports | uniq | join "," -}}
{{- end -}}

{{/* A service's calls to its engine, as an egress rule. Of (list $ engine). */}}
{{- define "ssr.callsToEngine" -}}
{{- $engine := get (index . 0).Values.engines (index . 1) -}}
{{- if eq $engine.kind "external" -}}
{{- include "ssr.callsOut" (list $engine.external.peers (splitList "," (include "ssr.urlPorts" $engine.external.urls))) -}}
{{- else -}}
{{- include "ssr.callsTo" (list (index . 0) (printf "engine-%s" (index . 1)) 8080) -}}
{{- end -}}
{{- end -}}

{{/* Who may call a service, as ingress rules. Of (list $ service). */}}
{{- define "ssr.callers.orchestrator" -}}
{{- $root := index . 0 -}}
- from:
    - {{- include "ssr.peer" (list $root "test") | nindent 6 }}
    {{- if $root.Values.shell.enabled }}
    - {{- include "ssr.peer" (list $root "shell") | nindent 6 }}
    {{- end }}
    {{- if $root.Values.gateway.enabled }}
    - {{- include "ssr.peer" (list $root "gateway") | nindent 6 }}
    {{- end }}
    {{- with $root.Values.networkPolicy.clients }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if eq $root.Values.autoscaling.kind "keda" }}
    {{- with $root.Values.networkPolicy.keda }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ include "ssr.port" "orchestrator" }}}
{{ include "ssr.callsOfPrometheus" (list $root (include "ssr.metricsPort" .)) }}
{{- end -}}

{{- define "ssr.callers.gateway" -}}
{{- $root := index . 0 -}}
- from:
    - {{- include "ssr.peer" (list $root "test-gateway") | nindent 6 }}
    {{- with $root.Values.networkPolicy.clients }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ include "ssr.port" "gateway" }}}
{{ include "ssr.callsOfPrometheus" (list $root (include "ssr.metricsPort" .)) }}
{{- end -}}

{{- define "ssr.callers.worker" -}}
- from:
    - {{- include "ssr.peer" (list (index . 0) "orchestrator") | nindent 6 }}
  ports:
    - {protocol: TCP, port: {{ include "ssr.port" (index . 1) }}}
{{ include "ssr.callsOfPrometheus" (list (index . 0) (include "ssr.metricsPort" .)) }}
{{- end -}}

{{- define "ssr.callers.autoscaler" -}}
{{- include "ssr.callsOfPrometheus" (list (index . 0) (include "ssr.metricsPort" .)) -}}
{{- end -}}

{{/* An engine's calls for its model's files, as egress rules: the hub's addresses change. */}}
{{- define "ssr.downloads" -}}
{{- $downloads := .Values.networkPolicy.engineDownloads -}}
{{- if and $downloads.ports (not .Values.offline) }}
{{- include "ssr.callsOut" (list $downloads.peers $downloads.ports) }}
{{- with .Values.proxy.https }}
{{ include "ssr.callsOut" (list list (splitList "," (include "ssr.urlPorts" (list .)))) }}
{{- end }}
{{- end -}}
{{- end -}}
