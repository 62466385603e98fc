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

{{/* image, command, args and env of an engine's container. Of (list $ engine). */}}
{{- define "ssr.engineProcess" -}}
{{- $engine := get (index . 0).Values.engines (index . 1) -}}
{{- include (printf "ssr.engineProcess.%s" $engine.kind) . -}}
{{- end -}}

{{- define "ssr.engineProcess.tgi" -}}
{{- $root := index . 0 -}}
{{- $engine := get $root.Values.engines (index . 1) -}}
image: {{ $root.Values.engineImages.tgi | quote }}
imagePullPolicy: IfNotPresent
args:
  - --model-id={{ $engine.model }}
  {{- with $engine.revision }}
  - --revision={{ . }}
  {{- end }}
  # Kubernetes sets HOSTNAME, which the launcher takes for the address to listen on.
  - --hostname=0.0.0.0
  - --port=8080
  {{- if gt (int $engine.gpus) 1 }}
  - --num-shard={{ int $engine.gpus }}
  {{- end }}
  # The digits 0-9 and their variants; TGI's own 5 makes scores coarse.
  - --max-top-n-tokens=20
  {{- if not (regexMatch "--max-concurrent-requests" (join " " $engine.args)) }}
  # Above it TGI refuses at once; below it queues. Each pod of a service sends at most client.max_in_flight (64): this
  # is for 16 of them, and does not depend on their number, or scaling a service would restart the engine.
  - --max-concurrent-requests=1024
  {{- end }}
  - --json-output
  {{- range $engine.args }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- include "ssr.engineEnvironment" (list $engine (dict "USAGE_STATS" "off")) | nindent 2 }}
{{- end -}}

{{- define "ssr.engineProcess.vllm" -}}
{{- $root := index . 0 -}}
{{- $engine := get $root.Values.engines (index . 1) | deepCopy -}}
image: {{ $root.Values.engineImages.vllm | quote }}
imagePullPolicy: IfNotPresent
command: [vllm, serve]
args:
  - {{ $engine.model | quote }}
  {{- with $engine.revision }}
  - --revision={{ . }}
  {{- end }}
  - --host=0.0.0.0
  - --port=8080
  {{- if gt (int $engine.gpus) 1 }}
  - --tensor-parallel-size={{ int $engine.gpus }}
  {{- end }}
  # Or cached tokens of prompts are counted as work.
  - --enable-prompt-tokens-details
  {{- if $engine.consensus.enabled }}
  - {{ dict "method" "custom_class" "model" "ssr.consensus.vllm.ConsensusProposer" "num_speculative_tokens" (int $engine.consensus.draftTokens) | toJson | printf "--speculative-config=%s" | quote }}
  {{- end }}
  {{- range $engine.args }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- $own := dict "VLLM_NO_USAGE_STATS" "1" }}
  {{- if $engine.consensus.enabled }}
  {{- $_ := set $engine.env "PYTHONPATH" (list "/consensus" (get $engine.env "PYTHONPATH") | compact | join ":") }}
  {{- if $root.Values.metrics.enabled }}
  {{- /* The proposer's process is not the one with /metrics: they meet in this folder. */}}
  {{- $_ := set $own "PROMETHEUS_MULTIPROC_DIR" "/metrics" }}
  {{- end }}
  {{- end }}
  {{- include "ssr.engineEnvironment" (list $engine $own) | nindent 2 }}
  {{- if $engine.consensus.enabled }}
  {{- include "ssr.settings" (list "SSR_CONSENSUS_" (merge (dict "max_draft" $engine.consensus.draftTokens) $engine.consensus.settings)) | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Takes the proposer from SSR's image to where vLLM finds it: vLLM's own has no SSR. */}}
{{- define "ssr.consensusFiles" -}}
- name: consensus
  image: {{ include "ssr.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [python, -m, ssr.consensus.bundle, /consensus]
  {{- include "ssr.containerSecurity" false | nindent 2 }}
  resources:
    requests: {cpu: 100m, memory: 64Mi}
    limits: {memory: 128Mi}
  volumeMounts:
    - {name: consensus, mountPath: /consensus}
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
/etc/passwd, which some libraries look it up in. Of (list engine own). */}}
{{- define "ssr.engineEnvironment" -}}
{{- $engine := index . 0 -}}
{{- $own := dict "HOME" "/tmp" "USER" "engine" "HF_HOME" "/data" "DO_NOT_TRACK" "1" -}}
{{- range $name, $value := merge dict $engine.env (index . 1) $own }}
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
