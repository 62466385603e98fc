{{/* The servers that load models: their arguments and variables, each of (list $ engine role). */}}

{{- define "ssr.engineProcess.tgi" -}}
{{- $root := index . 0 -}}
{{- $engine := get $root.Values.engines (index . 1) -}}
image: {{ include "ssr.imageFrom" (list $root $root.Values.engineImages.tgi) | quote }}
imagePullPolicy: IfNotPresent
# It saves the tokenizer under the folder it is started in; where it cannot, token texts come back empty.
workingDir: /tmp
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
  {{- if not (include "ssr.hasFlag" (list $engine "--max-concurrent-requests")) }}
  # Above it TGI refuses at once; below it queues. Each pod of a service sends at most client.max_in_flight (64): this
  # is for 16 of them, and does not depend on their number, or scaling a service would restart the engine.
  - --max-concurrent-requests=1024
  {{- end }}
  {{- if and $engine.cudaGraphs (not (include "ssr.hasFlag" (list $engine "--cuda-graphs"))) }}
  - --cuda-graphs={{ range $index, $size := $engine.cudaGraphs }}{{ if $index }},{{ end }}{{ int $size }}{{ end }}
  {{- end }}
  {{- if not (include "ssr.hasFlag" (list $engine "--graceful-termination-timeout")) }}
  - --graceful-termination-timeout={{ int $engine.graceSeconds }}
  {{- end }}
  - --json-output
  {{- range $engine.args }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- $own := dict "USAGE_STATS" "off" }}
  {{- if $engine.cache.compile }}
  {{- $_ := set $own "HF_KERNELS_CACHE" "/data/compile/kernels" }}
  {{- end }}
  {{- include "ssr.engineEnvironment" (list $root $engine $own) | nindent 2 }}
  {{- with $engine.apiKey.existingSecret }}
  {{- include "ssr.secretVariable" (list "API_KEY" . $engine.apiKey.key) | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "ssr.engineProcess.vllm" -}}
{{- $root := index . 0 -}}
{{- $engine := get $root.Values.engines (index . 1) | deepCopy -}}
{{- $nodes := int $engine.multiNode.size -}}
image: {{ include "ssr.imageFrom" (list $root $root.Values.engineImages.vllm) | quote }}
imagePullPolicy: IfNotPresent
workingDir: /tmp
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
  {{- if gt $nodes 1 }}
  - --pipeline-parallel-size={{ $nodes }}
  - --nnodes={{ $nodes }}
  - --node-rank=$(LWS_WORKER_INDEX)
  - --master-addr=$(LWS_LEADER_ADDRESS)
  {{- if eq (index . 2) "worker" }}
  - --headless
  {{- end }}
  {{- end }}
  # Or cached tokens of prompts are counted as work.
  - --enable-prompt-tokens-details
  {{- if not (include "ssr.hasFlag" (list $engine "--shutdown-timeout")) }}
  # Or it aborts what it has in hand at SIGTERM.
  - --shutdown-timeout={{ int $engine.graceSeconds }}
  {{- end }}
  {{- if $engine.priority }}
  - --scheduling-policy=priority
  {{- end }}
  {{- if $engine.consensus.enabled }}
  - {{ dict "method" "custom_class" "model" "ssr.consensus.vllm.ConsensusProposer" "num_speculative_tokens" (int $engine.consensus.draftTokens) | toJson | printf "--speculative-config=%s" | quote }}
  {{- end }}
  {{- range $engine.args }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- $own := dict "VLLM_NO_USAGE_STATS" "1" }}
  {{- if $engine.cache.compile }}
  {{- $_ := set $own "VLLM_CACHE_ROOT" "/data/compile/vllm" }}
  {{- end }}
  {{- if $engine.consensus.enabled }}
  {{- $_ := set $engine.env "PYTHONPATH" (list "/consensus" (get $engine.env "PYTHONPATH") | compact | join ":") }}
  {{- if $root.Values.metrics.enabled }}
  {{- /* The proposer's process is not the one with /metrics: they meet in this folder. */}}
  {{- $_ := set $own "PROMETHEUS_MULTIPROC_DIR" "/metrics" }}
  {{- end }}
  {{- end }}
  {{- include "ssr.engineEnvironment" (list $root $engine $own) | nindent 2 }}
  {{- with $engine.apiKey.existingSecret }}
  {{- include "ssr.secretVariable" (list "VLLM_API_KEY" . $engine.apiKey.key) | nindent 2 }}
  {{- end }}
  {{- if $engine.consensus.enabled }}
  {{- include "ssr.settings" (list "SSR_CONSENSUS_" (merge (dict "max_draft" $engine.consensus.draftTokens) $engine.consensus.settings)) | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "ssr.engineProcess.sglang" -}}
{{- $root := index . 0 -}}
{{- $engine := get $root.Values.engines (index . 1) -}}
{{- $nodes := int $engine.multiNode.size -}}
image: {{ include "ssr.imageFrom" (list $root $root.Values.engineImages.sglang) | quote }}
imagePullPolicy: IfNotPresent
workingDir: /tmp
command: [python3, -m, sglang.launch_server]
args:
  - --model-path={{ $engine.model }}
  {{- with $engine.revision }}
  - --revision={{ . }}
  {{- end }}
  - --host=0.0.0.0
  - --port=8080
  {{- if gt (mul (int $engine.gpus) $nodes) 1 }}
  - --tp-size={{ mul (int $engine.gpus) $nodes }}
  {{- end }}
  {{- if gt $nodes 1 }}
  - --nnodes={{ $nodes }}
  - --node-rank=$(LWS_WORKER_INDEX)
  - --dist-init-addr=$(LWS_LEADER_ADDRESS):20000
  {{- end }}
  - --enable-metrics
  # Or cached tokens of prompts are counted as work.
  - --enable-cache-report
  {{- if $engine.priority }}
  - --enable-priority-scheduling
  {{- end }}
  {{- if $engine.apiKey.existingSecret }}
  - --api-key=$(ENGINE_API_KEY)
  {{- end }}
  {{- range $engine.args }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- include "ssr.engineEnvironment" (list $root $engine dict) | nindent 2 }}
  {{- with $engine.apiKey.existingSecret }}
  {{- include "ssr.secretVariable" (list "ENGINE_API_KEY" . $engine.apiKey.key) | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Takes the proposer from SSR's image to where vLLM finds it: vLLM's own has no SSR. */}}
{{- define "ssr.consensusFiles" -}}
- name: consensus
  image: {{ include "ssr.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [python, -m, ssr.consensus.bundle, /consensus]
  {{- include "ssr.containerSecurity" (list dict false) | nindent 2 }}
  resources:
    requests: {cpu: 100m, memory: 64Mi}
    limits: {memory: 128Mi}
  volumeMounts:
    - {name: consensus, mountPath: /consensus}
{{- end -}}
