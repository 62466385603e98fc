{{/* How engines are started. */}}

{{/* The names of the engines that run in this release, comma-separated. */}}
{{- define "ssr.runningEngines" -}}
{{- $names := list -}}
{{- range $name, $engine := .Values.engines -}}
{{- if not (has $engine.kind (list "external" "target")) -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- join "," $names -}}
{{- end -}}

{{/* The services that ask an engine, comma-separated. Of (list $ engine). */}}
{{- define "ssr.askersOf" -}}
{{- $askers := list -}}
{{- range $service := list "selector" "drafter" "verifier" -}}
{{- if eq (include "ssr.engineOf" (list (index $ 0) $service)) (index $ 1) -}}
{{- $askers = append $askers $service -}}
{{- end -}}
{{- end -}}
{{- join "," $askers -}}
{{- end -}}

{{/* The user of an engine's server: TGI's image keeps its Python under /root, where only root may read. Of an engine. */}}
{{- define "ssr.engineUser" -}}
{{- ternary 0 (int .runAsUser) (and (eq .kind "tgi") (not .nonRootImage)) -}}
{{- end -}}

{{/* The access mode of an engine's claim. Of (list $ engine). */}}
{{- define "ssr.accessMode" -}}
{{- $engine := get (index . 0).Values.engines (index . 1) -}}
{{- $pods := mul (int (include "ssr.mostPods" .)) (int $engine.multiNode.size) -}}
{{- default (ternary "ReadWriteMany" "ReadWriteOnce" (gt (int $pods) 1)) $engine.cache.accessMode -}}
{{- end -}}

{{/* image, command, args and env of an engine's container. `role` is "leader" or "worker" of a replica that spans nodes,
else "". Of (list $ engine role). */}}
{{- define "ssr.engineProcess" -}}
{{- $root := index . 0 -}}
{{- $engine := get $root.Values.engines (index . 1) -}}
{{- include (printf "ssr.engineProcess.%s" $engine.kind) . }}
  {{- with $engine.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $engine.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Whether the user's arguments have one of these flags already: "true" or "". Of (list engine flag...). */}}
{{- define "ssr.hasFlag" -}}
{{- range $argument := (index . 0).args -}}
{{- if has (first (splitList "=" $argument)) (rest $) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ssr.engineProcess.simulated" -}}
{{- $root := index . 0 -}}
{{- $engine := get $root.Values.engines (index . 1) -}}
image: {{ include "ssr.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command: [ssr, serve, engine]
env:
  {{- $settings := dict "kind" "simulated" "role" (ternary "draft" "target" (eq (index . 1) "draft")) "host" "0.0.0.0" "port" 8080 "grace_s" $engine.graceSeconds "log_format" $root.Values.logs.format "simulated" $engine.simulated }}
  {{- include "ssr.settings" (list "SSR_ENGINE_" $settings) | indent 2 }}
{{- end -}}

{{/* Of an engine that loads a model: the user's variables go before these. The user 1000 has no entry in the image's
/etc/passwd, which some libraries look it up in. What is compiled for the GPU is kept beside the model. Of
(list $ engine own). */}}
{{- define "ssr.engineEnvironment" -}}
{{- $root := index . 0 -}}
{{- $engine := index . 1 -}}
{{- $own := dict "HOME" "/tmp" "USER" "engine" "HF_HOME" "/data" "DO_NOT_TRACK" "1" -}}
{{- if $engine.cache.compile -}}
{{- $own = merge $own (dict "TRITON_CACHE_DIR" "/data/compile/triton" "TORCHINDUCTOR_CACHE_DIR" "/data/compile/inductor") -}}
{{- end -}}
{{- if $root.Values.offline -}}
{{- $own = merge $own (dict "HF_HUB_OFFLINE" "1" "TRANSFORMERS_OFFLINE" "1") -}}
{{- end -}}
{{- with $root.Values.proxy.https -}}
{{- $own = merge $own (dict "HTTPS_PROXY" . "https_proxy" . "NO_PROXY" $root.Values.proxy.exceptions "no_proxy" $root.Values.proxy.exceptions) -}}
{{- end -}}
{{- range $name, $value := merge dict $engine.env (index . 2) $own }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with $engine.hfToken.existingSecret }}
{{ include "ssr.secretVariable" (list "HF_TOKEN" . $engine.hfToken.key) }}
{{- end }}
{{- end -}}

{{/* Requests and limits with the GPUs. */}}
{{- define "ssr.engineResources" -}}
{{- $resources := deepCopy .resources -}}
{{- if gt (int .gpus) 0 -}}
{{- $gpus := dict .gpuResource (int .gpus) -}}
{{- range $side := list "requests" "limits" -}}
{{- $_ := set $resources $side (merge dict $gpus (default dict (get $resources $side))) -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
