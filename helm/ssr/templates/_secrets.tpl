{{/* Secrets that the chart makes, and what follows from Secrets. What is looked up or made at random is kept in
.Values.memo, so that all templates of one rendering see the same. */}}

{{- define "ssr.memo" -}}
{{- if not (hasKey .Values "memo") -}}
{{- $_ := set .Values "memo" dict -}}
{{- end -}}
{{- end -}}

{{/* The data of a Secret in the cluster, as JSON; {} where there is none. Of (list $ name). */}}
{{- define "ssr.secretData" -}}
{{- $root := index . 0 -}}
{{- include "ssr.memo" $root -}}
{{- $key := printf "secret/%s" (index . 1) -}}
{{- if not (hasKey $root.Values.memo $key) -}}
{{- $_ := set $root.Values.memo $key (default dict (lookup "v1" "Secret" $root.Release.Namespace (index . 1)).data) -}}
{{- end -}}
{{- get $root.Values.memo $key | toJson -}}
{{- end -}}

{{/* An entry of a Secret that the chart makes, in base64: as it is in the cluster, else at random. Of (list $ name entry). */}}
{{- define "ssr.madeEntry" -}}
{{- $root := index . 0 -}}
{{- $data := include "ssr.secretData" (list $root (index . 1)) | fromJson -}}
{{- if not (hasKey $data (index . 2)) -}}
{{- $_ := set $data (index . 2) (randAlphaNum 40 | b64enc) -}}
{{- $_ := set $root.Values.memo (printf "secret/%s" (index . 1)) $data -}}
{{- end -}}
{{- get $data (index . 2) -}}
{{- end -}}

{{/* The Secret with the API keys of callers; empty where anybody may call. */}}
{{- define "ssr.keysSecret" -}}
{{- if .Values.api.keysSecret -}}
{{- .Values.api.keysSecret -}}
{{- else if eq .Values.api.keys "made" -}}
{{ include "ssr.fullname" . }}-api-keys
{{- end -}}
{{- end -}}

{{/* "true" where the chart makes the API keys. */}}
{{- define "ssr.makesKeys" -}}
{{- and (eq .Values.api.keys "made") (not .Values.api.keysSecret) -}}
{{- end -}}

{{/* The caller who may administer: whom the settings name, or the shell where the chart makes the keys; else empty. */}}
{{- define "ssr.administrator" -}}
{{- $named := dig "administrator" "" .Values.services.orchestrator.settings -}}
{{- default (ternary "operators" "" (and .Values.shell.enabled (eq (include "ssr.makesKeys" .) "true"))) $named -}}
{{- end -}}

{{/* Where the shell's API key is, as {name, key} in JSON; {} where nobody asks for one. */}}
{{- define "ssr.shellKey" -}}
{{- if .Values.shell.apiKeySecret.name -}}
{{- toJson .Values.shell.apiKeySecret -}}
{{- else if eq (include "ssr.makesKeys" .) "true" -}}
{{- dict "name" (include "ssr.keysSecret" .) "key" (include "ssr.administrator" .) | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/* The Secrets that a component has as variables, which it reads once. Of (list $ component). */}}
{{- define "ssr.readOnce" -}}
{{- $root := index . 0 -}}
{{- $names := list -}}
{{- if eq (include "ssr.usesRedis" .) "true" -}}
{{- $external := $root.Values.redis.external -}}
{{- $names = ternary (list (include "ssr.redisSecret" $root)) (list $external.urlSecret.name $external.passwordSecret.name) (eq $root.Values.redis.kind "valkey") -}}
{{- end -}}
{{- with include "ssr.engineOf" . -}}
{{- $engine := get $root.Values.engines . -}}
{{- $names = concat $names (list $engine.apiKey.existingSecret (ternary $engine.external.apiKey.existingSecret "" (eq $engine.kind "external"))) -}}
{{- end -}}
{{- if hasPrefix "engine-" (index . 1) -}}
{{- $engine := get $root.Values.engines (trimPrefix "engine-" (index . 1)) -}}
{{- $names = list $engine.hfToken.existingSecret $engine.apiKey.existingSecret -}}
{{- end -}}
{{- if eq (index . 1) "redis" -}}
{{- $names = list (include "ssr.redisSecret" $root) -}}
{{- end -}}
{{- $names | compact | uniq | join "," -}}
{{- end -}}

{{/* What a pod must be started anew for, as annotations in JSON: Secrets that it reads once, as far as the cluster shows
them (`helm template` does not), and the model behind the engine that it asks. Of (list $ component). */}}
{{- define "ssr.checksums" -}}
{{- $root := index . 0 -}}
{{- $found := dict -}}
{{- $data := list -}}
{{- range $name := splitList "," (include "ssr.readOnce" .) | compact -}}
{{- if and (eq $name (include "ssr.redisSecret" $root)) (eq $root.Values.redis.kind "valkey") (not $root.Values.redis.auth.existingSecret) -}}
{{- $_ := include "ssr.madeEntry" (list $root $name $root.Values.redis.auth.key) -}}
{{- end -}}
{{- with include "ssr.secretData" (list $root $name) | fromJson -}}
{{- $data = append $data . -}}
{{- end -}}
{{- end -}}
{{- if $data -}}
{{- $_ := set $found "checksum/secrets" (toJson $data | sha256sum | trunc 16) -}}
{{- end -}}
{{- with include "ssr.engineOf" . -}}
{{- $engine := get $root.Values.engines . -}}
{{- $_ := set $found "checksum/model" (pick $engine "kind" "model" "revision" "external" | toJson | sha256sum | trunc 16) -}}
{{- end -}}
{{- if and (eq (index . 1) "gateway") $root.Values.gateway.models -}}
{{- $_ := set $found "checksum/models" (toJson $root.Values.gateway.models | sha256sum | trunc 16) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
