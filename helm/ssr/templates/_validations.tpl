{{/* Combinations of values that the schema cannot tell are wrong. */}}

{{- define "ssr.validate" -}}
{{- include "ssr.validateRedis" .Values.redis -}}
{{- range $name := keys .Values.engines | sortAlpha -}}
{{- include "ssr.validateEngine" (list $ $name) -}}
{{- include "ssr.validateConsensus" (list $ $name) -}}
{{- end -}}
{{- include "ssr.validateScaling" . -}}
{{- include "ssr.validateTls" .Values.tls -}}
{{- include "ssr.validateWatching" .Values -}}
{{- if and .Values.test.apiKeySecret.name (not .Values.api.keysSecret) -}}
{{- fail "test.apiKeySecret.name is set, and api.keysSecret is empty: name the Secret with the keys that are good, or leave both empty." -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateScaling" -}}
{{- $kind := .Values.autoscaling.kind -}}
{{- if and (ne $kind "none") (not (include "ssr.scaledPools" .)) -}}
{{- fail (printf "autoscaling.kind is %s, and no engine that it could scale runs in this release, both being external: set autoscaling.kind=none." $kind) -}}
{{- end -}}
{{- range $pool := list "draft" "target" -}}
{{- $limits := get $.Values.autoscaling.settings $pool -}}
{{- if gt (int $limits.min_replicas) (int $limits.max_replicas) -}}
{{- fail (printf "autoscaling.settings.%s: min_replicas %d is over max_replicas %d: set one of them." $pool (int $limits.min_replicas) (int $limits.max_replicas)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $service := .Values.services -}}
{{- if and $service.autoscaling.enabled (gt (int $service.autoscaling.minReplicas) (int $service.autoscaling.maxReplicas)) -}}
{{- fail (printf "services.%s.autoscaling: minReplicas %d is over maxReplicas %d: set one of them." $name (int $service.autoscaling.minReplicas) (int $service.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateTls" -}}
{{- range $name, $secret := .secrets -}}
{{- if and (eq $.kind "secrets") (not $secret) -}}
{{- fail (printf "tls.kind is secrets, and tls.secrets.%s is empty: name a Secret with its certificate, or let cert-manager make them with tls.kind=certManager." $name) -}}
{{- end -}}
{{- if and (ne $.kind "secrets") $secret -}}
{{- fail (printf "tls.secrets.%s is set, and tls.kind is %s: set tls.kind=secrets." $name $.kind) -}}
{{- end -}}
{{- end -}}
{{- if and .clientCertificates (eq .kind "none") -}}
{{- fail "tls.clientCertificates is true, and tls.kind is none: choose tls.kind=secrets or tls.kind=certManager." -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateWatching" -}}
{{- if and .serviceMonitor.enabled (not .metrics.enabled) -}}
{{- fail "serviceMonitor.enabled is true, and metrics.enabled is false: there is nothing to collect; set metrics.enabled=true." -}}
{{- end -}}
{{- if and .prometheusRule.enabled (not .serviceMonitor.enabled) -}}
{{- fail "prometheusRule.enabled is true, and serviceMonitor.enabled is false: the alerts need the labels that it gives; set serviceMonitor.enabled=true." -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateEngine" -}}
{{- $engine := get (index . 0).Values.engines (index . 1) -}}
{{- $name := printf "engines.%s" (index . 1) -}}
{{- $pods := int (include "ssr.mostPods" .) -}}
{{- $served := has $engine.kind (list "tgi" "vllm") -}}
{{- if and $served (not $engine.model) -}}
{{- fail (printf "%s.model is empty: name a model of the Hugging Face hub, such as Qwen/QwQ-32B, or choose a preset with -f helm/ssr/presets/NAME.yaml." $name) -}}
{{- end -}}
{{- if and (eq $engine.kind "external") (not $engine.external.urls) -}}
{{- fail (printf "%s.external.urls is empty: give the engine's URL, such as http://gpu-1:8080, or choose another kind than external." $name) -}}
{{- end -}}
{{- if and $served $engine.cache.enabled (gt $pods 1) (not $engine.cache.existingClaim) (ne $engine.cache.accessMode "ReadWriteMany") -}}
{{- fail (printf "%s may have %d replicas and has one cache that only one node may mount: set %s.cache.accessMode=ReadWriteMany, or %s.cache.enabled=false." $name $pods $name $name) -}}
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

{{- define "ssr.validateConsensus" -}}
{{- $engine := get (index . 0).Values.engines (index . 1) -}}
{{- $name := printf "engines.%s" (index . 1) -}}
{{- if $engine.consensus.enabled -}}
{{- if ne $engine.kind "vllm" -}}
{{- fail (printf "%s.consensus.enabled is true, and %s.kind is %s: only vLLM takes drafts of this kind; set %s.kind=vllm or %s.consensus.enabled=false." $name $name $engine.kind $name $name) -}}
{{- end -}}
{{- if eq (index . 1) "selector" -}}
{{- fail "engines.selector.consensus.enabled is true, and the selector asks for one token a call, so there is nothing to draft: set it to false." -}}
{{- end -}}
{{- range $engine.args -}}
{{- if has (first (splitList "=" .)) (list "--speculative-config" "-sc" "--spec-method" "--spec-model" "--spec-tokens") -}}
{{- fail (printf "%s.consensus.enabled is true, and %s.args has %s: vLLM speculates in one way at a time; leave one of them out." $name $name (first (splitList "=" .))) -}}
{{- end -}}
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
{{- if and .external.tlsSecret.name $url (not (hasPrefix "rediss" $url)) -}}
{{- fail "redis.external.tlsSecret.name is set, and redis.external.url is without TLS: begin it with rediss." -}}
{{- end -}}
{{- if and .external.tlsSecret.clientCertificate (not .external.tlsSecret.name) -}}
{{- fail "redis.external.tlsSecret.clientCertificate is true, and redis.external.tlsSecret.name is empty: name the Secret with the certificate." -}}
{{- end -}}
{{- if and (contains "$(REDIS_PASSWORD)" $url) (not .external.passwordSecret.name) -}}
{{- fail "redis.external.url has $(REDIS_PASSWORD) in it, and redis.external.passwordSecret.name is empty: name the Secret with the password." -}}
{{- end -}}
{{- end -}}
{{- end -}}
