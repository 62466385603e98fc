{{/* Settings as environment. */}}

{{/* A number as it was written: Helm's own are floats, and 1000000 would become 1e+06. */}}
{{- define "ssr.scalar" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* A map of settings as variables, nested ones behind "__", lists in JSON. Of (list prefix settings). */}}
{{- define "ssr.settings" -}}
{{- $prefix := index . 0 -}}
{{- range $name, $value := index . 1 }}
{{- $variable := printf "%s%s" $prefix (upper $name) }}
{{- if kindIs "map" $value }}
{{- include "ssr.settings" (list (printf "%s__" $variable) $value) }}
{{- else if kindIs "slice" $value }}
- name: {{ $variable }}
  value: {{ toJson $value | quote }}
{{- else if not (kindIs "invalid" $value) }}
- name: {{ $variable }}
  value: {{ include "ssr.scalar" $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A variable from a Secret. Of (list name secret key). */}}
{{- define "ssr.secretVariable" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}

{{/* The URLs of an engine, comma-separated. Of (list $ engine). */}}
{{- define "ssr.engineUrls" -}}
{{- $root := index . 0 -}}
{{- $engine := get $root.Values.engines (index . 1) -}}
{{- if eq $engine.kind "external" -}}
{{- join "," $engine.external.urls -}}
{{- else -}}
dns://{{ include "ssr.fullname" $root }}-engine-{{ index . 1 }}:8080
{{- end -}}
{{- end -}}

{{/* How a service talks to its engine. Of (list $ service engine). */}}
{{- define "ssr.engineClient" -}}
{{- $root := index . 0 -}}
{{- $engine := get $root.Values.engines (index . 2) -}}
{{- $prefix := printf "SSR_%s_ENGINE__" (upper (index . 1)) -}}
{{- $external := eq $engine.kind "external" -}}
{{- $api := ternary $engine.external.api (ternary $engine.kind "tgi" (has $engine.kind (list "vllm" "sglang"))) $external -}}
- name: {{ $prefix }}KIND
  value: {{ $api }}
- name: {{ $prefix }}URLS
  value: {{ include "ssr.engineUrls" (list $root (index . 2)) | quote }}
{{- if and $external $engine.model }}
- name: {{ $prefix }}MODEL
  value: {{ $engine.model | quote }}
{{- end }}
{{- $key := ternary $engine.external.apiKey $engine.apiKey $external }}
{{- with $key.existingSecret }}
{{ include "ssr.secretVariable" (list (printf "%sAPI_KEY" $prefix) . $key.key) }}
{{- end }}
{{- $wake := int (include "ssr.wakeSeconds" (list $root (index . 2))) -}}
{{- /* A pool that sleeps is asked while it starts; the default of 120 s is for the call itself. */}}
{{- $waiting := ternary (dict "timeout_s" (add $wake 120)) dict (gt $wake 0) -}}
{{- $scheduling := ternary (dict "priorities" true) dict $engine.priority -}}
{{- include "ssr.settings" (list $prefix (merge dict $engine.client $waiting $scheduling)) }}
{{- end -}}

{{/* Where a service finds Redis. A password is only ever named: the kubelet puts it into the URL. Of (list $ service). */}}
{{- define "ssr.redisUrl" -}}
{{- $root := index . 0 -}}
{{- $variable := printf "SSR_%s_REDIS_URL" (upper (index . 1)) -}}
{{- $redis := $root.Values.redis -}}
{{- $external := $redis.external -}}
{{- if eq $redis.kind "valkey" -}}
{{ include "ssr.secretVariable" (list "REDIS_PASSWORD" (include "ssr.redisSecret" $root) $redis.auth.key) }}
- name: {{ $variable }}
  value: "redis://:$(REDIS_PASSWORD)@{{ include "ssr.fullname" $root }}-redis:6379/0"
{{- else if $external.urlSecret.name -}}
{{ include "ssr.secretVariable" (list $variable $external.urlSecret.name $external.urlSecret.key) }}
{{- else -}}
{{- with $external.passwordSecret.name }}
{{- include "ssr.secretVariable" (list "REDIS_PASSWORD" . $external.passwordSecret.key) }}
{{ end -}}
- name: {{ $variable }}
  value: {{ printf "%s%s" $external.url (include "ssr.redisTls" $external) | quote }}
{{- end -}}
{{- end -}}

{{/* What names the certificates in the URL of an external Redis. */}}
{{- define "ssr.redisTls" -}}
{{- if .tlsSecret.name -}}
{{- $files := list "ssl_ca_certs=/redis-tls/ca.crt" -}}
{{- if .tlsSecret.clientCertificate -}}
{{- $files = concat $files (list "ssl_certfile=/redis-tls/tls.crt" "ssl_keyfile=/redis-tls/tls.key") -}}
{{- end -}}
{{ ternary "&" "?" (contains "?" .url) }}{{ join "&" $files }}
{{- end -}}
{{- end -}}

{{- define "ssr.redisSecret" -}}
{{- default (printf "%s-redis" (include "ssr.fullname" .)) .Values.redis.auth.existingSecret -}}
{{- end -}}

{{/* All variables of a service. Of (list $ service values). */}}
{{- define "ssr.serviceEnvironment" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $prefix := printf "SSR_%s_" (upper $name) -}}
- name: {{ $prefix }}HOST
  value: 0.0.0.0
- name: {{ $prefix }}PORT
  value: {{ include "ssr.port" $name | quote }}
{{- if ne $name "gateway" }}
- name: {{ $prefix }}REPLICA
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
{{- if eq (include "ssr.usesRedis" (list $root $name)) "true" }}
{{ include "ssr.redisUrl" (list $root $name) }}
{{- end }}
{{- $own := dict -}}
{{- if eq $name "orchestrator" }}
{{- range $peer := list "selector" "drafter" "verifier" }}
- name: {{ $prefix }}{{ upper $peer }}
  value: dns:///{{ include "ssr.fullname" $root }}-{{ $peer }}:{{ include "ssr.port" $peer }}
{{- end }}
{{- $own = include "ssr.orchestratorSettings" $root | fromJson -}}
{{- else if eq $name "gateway" }}
- name: {{ $prefix }}ORCHESTRATOR
  value: dns:///{{ include "ssr.fullname" $root }}-orchestrator-headless:{{ include "ssr.port" "orchestrator" }}
{{- $own = include "ssr.gatewaySettings" $root | fromJson -}}
{{- else if eq $name "autoscaler" }}
{{- $own = include "ssr.autoscalerSettings" $root | fromJson -}}
{{- else }}
{{ include "ssr.engineClient" (list $root $name (include "ssr.engineOf" (list $root $name))) }}
{{- end }}
{{- include "ssr.settings" (list $prefix (merge dict (index . 2).settings $own (include "ssr.watchSettings" (list $root $name) | fromJson))) }}
{{- end -}}

{{/* How a service is watched, and its TLS, as JSON. Of (list $ service). */}}
{{- define "ssr.watchSettings" -}}
{{- $values := (index . 0).Values -}}
{{- $settings := dict "log_format" $values.logs.format -}}
{{- with $values.tracing.otlpEndpoint -}}
{{- $_ := set $settings "otlp_endpoint" . -}}
{{- end -}}
{{- if $values.metrics.enabled -}}
{{- $_ := set $settings "metrics_port" (int (include "ssr.metricsPort" .)) -}}
{{- end -}}
{{- if eq (include "ssr.hasHealthPort" .) "true" -}}
{{- $_ := set $settings "health_port" (int (include "ssr.healthPort" .)) -}}
{{- end -}}
{{- if eq (include "ssr.hasTls" .) "true" -}}
{{- $settings = merge $settings (include "ssr.tlsSettings" . | fromJson) -}}
{{- end -}}
{{- toJson $settings -}}
{{- end -}}

{{/* What the chart gives the orchestrator alone, as JSON. */}}
{{- define "ssr.orchestratorSettings" -}}
{{- $settings := include "ssr.wakeTimeouts" . | fromJson -}}
{{- if include "ssr.keysSecret" . -}}
{{- $_ := set $settings "api_keys" "/keys" -}}
{{- end -}}
{{- with include "ssr.administrator" . -}}
{{- $_ := set $settings "administrator" . -}}
{{- end -}}
{{- if eq .Values.autoscaling.kind "keda" -}}
{{- $_ := set $settings "keda" true -}}
{{- $_ := set $settings "scaling" (include "ssr.scalingSettings" . | fromJson) -}}
{{- end -}}
{{- toJson $settings -}}
{{- end -}}

{{/* What the chart gives the gateway alone, as JSON. */}}
{{- define "ssr.gatewaySettings" -}}
{{- $settings := dict "ui" .Values.gateway.page -}}
{{- if ne (include "ssr.gatewayScheme" .) "https" -}}
{{- $_ := set $settings "plain_http" true -}}
{{- end -}}
{{- with .Values.gateway.models -}}
{{- $_ := set $settings "models" "/models/models.yaml" -}}
{{- end -}}
{{- toJson $settings -}}
{{- end -}}

{{/* What the gateway's callers speak: https, or http. */}}
{{- define "ssr.gatewayScheme" -}}
{{- ternary "https" "http" (and .Values.gateway.https (ne (include "ssr.tlsKind" .) "none")) -}}
{{- end -}}

{{/* What the chart gives the autoscaler, as JSON. */}}
{{- define "ssr.autoscalerSettings" -}}
{{- $name := include "ssr.fullname" . -}}
{{- $deployments := dict -}}
{{- range $pool := splitList "," (include "ssr.scaledPools" .) -}}
{{- $_ := set $deployments $pool (printf "%s-engine-%s" $name $pool) -}}
{{- end -}}
{{- toJson (dict "namespace" .Release.Namespace "lease" (printf "%s-autoscaler" $name) "deployments" $deployments "scaling" (include "ssr.scalingSettings" . | fromJson)) -}}
{{- end -}}
