{{/* Combinations of values that the schema cannot refuse. */}}

{{- define "ssr.validate" -}}
{{- include "ssr.validateRedis" .Values.redis -}}
{{- range $name := keys .Values.engines | sortAlpha -}}
{{- include "ssr.validateEngine" (list $ $name) -}}
{{- include "ssr.validateConsensus" (list $ $name) -}}
{{- include "ssr.validateNodes" (list $ $name) -}}
{{- end -}}
{{- include "ssr.validateScaling" . -}}
{{- include "ssr.validateTls" . -}}
{{- include "ssr.validateApi" .Values.api -}}
{{- include "ssr.validateWaysIn" (list "api" .Values.api) -}}
{{- include "ssr.validateGateway" . -}}
{{- include "ssr.validateWatching" .Values -}}
{{- include "ssr.validateShell" . -}}
{{- if and .Values.test.apiKeySecret.name (not (include "ssr.keysSecret" .)) -}}
{{- fail "test.apiKeySecret.name is set, and api.keys is none: name the Secret with the keys that are good in api.keysSecret, or leave both empty." -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateShell" -}}
{{- $named := .Values.shell.apiKeySecret.name -}}
{{- if and $named (not (include "ssr.keysSecret" .)) -}}
{{- fail "shell.apiKeySecret.name is set, and api.keys is none: nobody asks for a key; leave it empty." -}}
{{- end -}}
{{- if and .Values.shell.enabled .Values.api.keysSecret -}}
{{- if not $named -}}
{{- fail "shell.enabled is true, and shell.apiKeySecret.name is empty: name a Secret with the administrator's API key, since api.keysSecret is yours." -}}
{{- end -}}
{{- if not (include "ssr.administrator" .) -}}
{{- fail "shell.enabled is true, and services.orchestrator.settings.administrator is empty: name the caller whose key the shell has, or nobody may pause, drain and queue again." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateApi" -}}
{{- if and (eq .keys "secret") (not .keysSecret) -}}
{{- fail "api.keys is secret, and api.keysSecret is empty: name the Secret with the keys, or let the chart make one with api.keys=made." -}}
{{- end -}}
{{- if and (eq .keys "none") .keysSecret -}}
{{- fail "api.keysSecret is set, and api.keys is none: set api.keys=secret, or leave the Secret's name empty." -}}
{{- end -}}
{{- end -}}

{{/* Routes, ingresses and load balancers. Of (list name values). */}}
{{- define "ssr.validateWaysIn" -}}
{{- $name := index . 0 -}}
{{- with index . 1 -}}
{{- if and .route.enabled (not .route.parentRefs) -}}
{{- fail (printf "%s.route.enabled is true, and %s.route.parentRefs is empty: name the gateway that it belongs to." $name $name) -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.hosts) -}}
{{- fail (printf "%s.ingress.enabled is true, and %s.ingress.hosts is empty: name the host that it answers to." $name $name) -}}
{{- end -}}
{{- if and (or .loadBalancerClass .loadBalancerSourceRanges) (ne .serviceType "LoadBalancer") -}}
{{- fail (printf "%s.loadBalancerClass or %s.loadBalancerSourceRanges is set, and %s.serviceType is %s: set %s.serviceType=LoadBalancer." $name $name $name .serviceType $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateGateway" -}}
{{- with .Values.gateway -}}
{{- include "ssr.validateWaysIn" (list "gateway" .) -}}
{{- if not .enabled -}}
{{- range $name := list "route" "ingress" -}}
{{- if (get $.Values.gateway $name).enabled -}}
{{- fail (printf "gateway.%s.enabled is true, and gateway.enabled is false: there is nothing behind it; set gateway.enabled=true." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateNodes" -}}
{{- $engine := get (index . 0).Values.engines (index . 1) -}}
{{- $name := printf "engines.%s" (index . 1) -}}
{{- if gt (int $engine.multiNode.size) 1 -}}
{{- if not (has $engine.kind (list "vllm" "sglang")) -}}
{{- fail (printf "%s.multiNode.size is %d, and %s.kind is %s: only vllm and sglang span nodes." $name (int $engine.multiNode.size) $name $engine.kind) -}}
{{- end -}}
{{- if eq (int $engine.gpus) 0 -}}
{{- fail (printf "%s.multiNode.size is %d, and %s.gpus is 0: say how many GPUs a node gives." $name (int $engine.multiNode.size) $name) -}}
{{- end -}}
{{- if and (eq (include "ssr.scaled" .) "true") (eq (index . 0).Values.autoscaling.kind "builtin") -}}
{{- fail (printf "%s.multiNode.size is %d, and autoscaling.kind is builtin, which scales Deployments alone: set autoscaling.kind=keda." $name (int $engine.multiNode.size)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ssr.validateScaling" -}}
{{- $kind := .Values.autoscaling.kind -}}
{{- if and (eq $kind "builtin") .Values.image.digest (not .Values.image.autoscaler) -}}
{{- fail "autoscaling.kind is builtin, image.digest is set, and image.autoscaler is empty: name the autoscaler's image by its digest too." -}}
{{- end -}}
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
{{- $gateway := .Values.gateway.enabled -}}
{{- with .Values.tls -}}
{{- $kind := .kind -}}
{{- range $name, $secret := .secrets -}}
{{- if and (eq $kind "secrets") (not $secret) (or $gateway (ne $name "gateway")) -}}
{{- fail (printf "tls.kind is secrets, and tls.secrets.%s is empty: name a Secret with its certificate, or let cert-manager make them with tls.kind=certManager." $name) -}}
{{- end -}}
{{- if and (ne $kind "secrets") $secret -}}
{{- fail (printf "tls.secrets.%s is set, and tls.kind is %s: set tls.kind=secrets." $name $kind) -}}
{{- end -}}
{{- end -}}
{{- if and .clientCertificates (eq .kind "none") -}}
{{- fail "tls.clientCertificates is true, and tls.kind is none: choose another tls.kind." -}}
{{- end -}}
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
{{- $pods := mul (int (include "ssr.mostPods" .)) (int $engine.multiNode.size) -}}
{{- $served := has $engine.kind (list "tgi" "vllm" "sglang") -}}
{{- if and $served (not $engine.model) -}}
{{- fail (printf "%s.model is empty: name a model of the Hugging Face hub, such as Qwen/QwQ-32B, or choose a preset with -f helm/ssr/presets/NAME.yaml." $name) -}}
{{- end -}}
{{- if and (eq $engine.kind "external") (not $engine.external.urls) -}}
{{- fail (printf "%s.external.urls is empty: give the engine's URL, such as http://gpu-1:8080, or choose another kind than external." $name) -}}
{{- end -}}
{{- if and $served $engine.cache.enabled (gt $pods 1) (not $engine.cache.existingClaim) (not $engine.cache.hostPath) (has $engine.cache.accessMode (list "ReadWriteOnce" "ReadWriteOncePod")) -}}
{{- fail (printf "%s may have %d replicas and has one cache that only one node may mount: set %s.cache.accessMode=ReadWriteMany, or %s.cache.enabled=false." $name $pods $name $name) -}}
{{- end -}}
{{- if and $served $engine.cache.existingClaim $engine.cache.hostPath -}}
{{- fail (printf "%s.cache has an existingClaim and a hostPath: leave one of them empty." $name) -}}
{{- end -}}
{{- if and $engine.priority (not (has $engine.kind (list "vllm" "sglang"))) -}}
{{- fail (printf "%s.priority is true, and %s.kind is %s: only vllm and sglang have priorities." $name $name $engine.kind) -}}
{{- end -}}
{{- if hasKey $engine.env "HF_TOKEN" -}}
{{- fail (printf "%s.env has HF_TOKEN, which would be readable in the Deployment: put it into a Secret, and name that in %s.hfToken.existingSecret." $name $name) -}}
{{- end -}}
{{- range $engine.args -}}
{{- $flag := first (splitList "=" .) -}}
{{- if has $flag (list "--model-id" "--model" "--revision" "--port" "--host" "--hostname" "--num-shard" "--tensor-parallel-size" "--max-top-n-tokens" "--api-key" "--model-path" "--tp-size" "--tp" "--nnodes" "--node-rank") -}}
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
