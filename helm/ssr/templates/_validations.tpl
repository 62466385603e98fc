{{/* Combinations of values that the schema cannot tell are wrong. */}}

{{- define "ssr.validate" -}}
{{- include "ssr.validateRedis" .Values.redis -}}
{{- range $name, $engine := .Values.engines -}}
{{- include "ssr.validateEngine" (list $name $engine) -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateEngine" -}}
{{- $engine := index . 1 -}}
{{- $name := printf "engines.%s" (index . 0) -}}
{{- $served := has $engine.kind (list "tgi" "vllm") -}}
{{- if and $served (not $engine.model) -}}
{{- fail (printf "%s.model is empty: name a model of the Hugging Face hub, such as Qwen/QwQ-32B, or choose a preset with -f helm/ssr/presets/NAME.yaml." $name) -}}
{{- end -}}
{{- if and (eq $engine.kind "external") (not $engine.external.urls) -}}
{{- fail (printf "%s.external.urls is empty: give the engine's URL, such as http://gpu-1:8080, or choose another kind than external." $name) -}}
{{- end -}}
{{- if and $served $engine.cache.enabled (gt (int $engine.replicas) 1) (not $engine.cache.existingClaim) (ne $engine.cache.accessMode "ReadWriteMany") -}}
{{- fail (printf "%s has %d replicas and one cache that only one node may mount: set %s.cache.accessMode=ReadWriteMany, or %s.cache.enabled=false." $name (int $engine.replicas) $name $name) -}}
{{- end -}}
{{- if hasKey $engine.env "HF_TOKEN" -}}
{{- fail (printf "%s.env has HF_TOKEN, which would be readable in the Deployment: put it into a Secret, and name that in %s.hfToken.existingSecret." $name $name) -}}
{{- end -}}
{{- range $engine.args -}}
{{- $flag := first (splitList "=" .) -}}
{{- if has $flag (list "--model-id" "--model" "--revision" "--port" "--host" "--hostname" "--num-shard" "--tensor-parallel-size" "--max-top-n-tokens" "--api-key") -}}
{{- fail (printf "%s.args has %s, which the chart sets or cannot use: see model, revision and gpus of %s." $name $flag $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateRedis" -}}
{{- if eq .kind "external" -}}
{{- $url := .external.url -}}
{{- if eq (empty $url) (empty .external.urlSecret.name) -}}
{{- fail "redis.kind is external: set either redis.external.url or redis.external.urlSecret.name, where the Secret holds the whole URL." -}}
{{- end -}}
{{- $password := regexFind "://[^/]*@" $url | trimPrefix "://" | trimSuffix "@" | regexFind ":.*" | trimPrefix ":" -}}
{{- if or (contains "password=" $url) (and $password (ne $password "$(REDIS_PASSWORD)")) -}}
{{- fail "redis.external.url has a password in it: put it into a Secret, name that in redis.external.passwordSecret.name, and write $(REDIS_PASSWORD) in the URL." -}}
{{- end -}}
{{- if and (contains "$(REDIS_PASSWORD)" $url) (not .external.passwordSecret.name) -}}
{{- fail "redis.external.url has $(REDIS_PASSWORD) in it, and redis.external.passwordSecret.name is empty: name the Secret with the password." -}}
{{- end -}}
{{- end -}}
{{- end -}}
