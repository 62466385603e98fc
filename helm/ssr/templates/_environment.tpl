{{/* Settings as environment. */}}

{{/* A number as it was written: Helm's own are floats, and 1000000 would become 1e+06. */}}
{{- define "ssr.scalar" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* A map of settings as variables, nested ones behind "__". Of (list prefix settings). */}}
{{- define "ssr.settings" -}}
{{- $prefix := index . 0 -}}
{{- range $name, $value := index . 1 }}
{{- $variable := printf "%s%s" $prefix (upper $name) }}
{{- if kindIs "map" $value }}
{{- include "ssr.settings" (list (printf "%s__" $variable) $value) }}
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
{{- $api := ternary $engine.external.api (ternary "openai" "tgi" (eq $engine.kind "vllm")) $external -}}
- name: {{ $prefix }}KIND
  value: {{ $api }}
- name: {{ $prefix }}URLS
  value: {{ include "ssr.engineUrls" (list $root (index . 2)) | quote }}
{{- if and $external $engine.model }}
- name: {{ $prefix }}MODEL
  value: {{ $engine.model | quote }}
{{- end }}
{{- with and $external $engine.external.apiKey.existingSecret }}
{{ include "ssr.secretVariable" (list (printf "%sAPI_KEY" $prefix) . $engine.external.apiKey.key) }}
{{- end }}
{{- include "ssr.settings" (list $prefix $engine.client) }}
{{- end -}}

{{/* Where the orchestrator finds Redis. A password is only ever named: the kubelet puts it into the URL. */}}
{{- define "ssr.redisUrl" -}}
{{- $redis := .Values.redis -}}
{{- $external := $redis.external -}}
{{- if eq $redis.kind "valkey" -}}
{{ include "ssr.secretVariable" (list "REDIS_PASSWORD" (include "ssr.redisSecret" .) $redis.auth.key) }}
- name: SSR_ORCHESTRATOR_REDIS_URL
  value: "redis://:$(REDIS_PASSWORD)@{{ include "ssr.fullname" . }}-redis:6379/0"
{{- else if $external.urlSecret.name -}}
{{ include "ssr.secretVariable" (list "SSR_ORCHESTRATOR_REDIS_URL" $external.urlSecret.name $external.urlSecret.key) }}
{{- else -}}
{{- with $external.passwordSecret.name }}
{{- include "ssr.secretVariable" (list "REDIS_PASSWORD" . $external.passwordSecret.key) }}
{{ end -}}
- name: SSR_ORCHESTRATOR_REDIS_URL
  value: {{ $external.url | quote }}
{{- end -}}
{{- end -}}

{{- define "ssr.redisSecret" -}}
{{- default (printf "%s-redis" (include "ssr.fullname" .)) .Values.redis.auth.existingSecret -}}
{{- end -}}
