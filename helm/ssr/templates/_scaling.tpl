{{/* What is scaled, by whom, and who reports the load. */}}

{{/* The pools whose engines are scaled, comma-separated: those of this release that autoscaling.kind is asked for. */}}
{{- define "ssr.scaledPools" -}}
{{- $pools := list -}}
{{- if ne .Values.autoscaling.kind "none" -}}
{{- range $pool := list "draft" "target" -}}
{{- if ne (get $.Values.engines $pool).kind "external" -}}
{{- $pools = append $pools $pool -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- join "," $pools -}}
{{- end -}}

{{/* "true" where an engine's pods are scaled. Of (list $ engine). */}}
{{- define "ssr.scaled" -}}
{{- has (index . 1) (splitList "," (include "ssr.scaledPools" (index . 0))) -}}
{{- end -}}

{{/* The most pods that an engine may have. Of (list $ engine). */}}
{{- define "ssr.mostPods" -}}
{{- $root := index . 0 -}}
{{- if eq (include "ssr.scaled" .) "true" -}}
{{- int (get $root.Values.autoscaling.settings (index . 1)).max_replicas -}}
{{- else -}}
{{- int (get $root.Values.engines (index . 1)).replicas -}}
{{- end -}}
{{- end -}}

{{/* The services that report the load they put on a pool, comma-separated. A selector with engines of its own has none. */}}
{{- define "ssr.reporters" -}}
{{- if ne .Values.autoscaling.kind "none" -}}
{{- join "," (concat (list "drafter" "verifier") (ternary (list "selector") list (eq .Values.engines.selector.kind "target"))) -}}
{{- end -}}
{{- end -}}

{{/* "true" for services that call Redis. Of (list $ service). */}}
{{- define "ssr.usesRedis" -}}
{{- has (index . 1) (concat (list "orchestrator" "autoscaler") (splitList "," (include "ssr.reporters" (index . 0)))) -}}
{{- end -}}

{{/* The settings of scaling, as JSON. */}}
{{- define "ssr.scalingSettings" -}}
{{- $own := dict "own_selector_engine" (ne .Values.engines.selector.kind "target") -}}
{{- toJson (merge $own (deepCopy .Values.autoscaling.settings)) -}}
{{- end -}}

{{/* Seconds that a call may have to wait for an engine's first pod: 0 where one always runs. Of (list $ engine). */}}
{{- define "ssr.wakeSeconds" -}}
{{- $root := index . 0 -}}
{{- if and (eq (include "ssr.scaled" .) "true") (eq (int (get $root.Values.autoscaling.settings (index . 1)).min_replicas) 0) -}}
{{- int (get $root.Values.engines (index . 1)).startupSeconds -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{/* The orchestrator's waiting times where a pool may be asleep: its start, and then the defaults of 300 s for a step and
120 s for a selection. As JSON. */}}
{{- define "ssr.wakeTimeouts" -}}
{{- $target := int (include "ssr.wakeSeconds" (list . "target")) -}}
{{- $any := max $target (int (include "ssr.wakeSeconds" (list . "draft"))) -}}
{{- $timeouts := dict -}}
{{- if gt $any 0 -}}
{{- $_ := set $timeouts "step_timeout_s" (add $any 300) -}}
{{- end -}}
{{- if and (gt $target 0) (eq .Values.engines.selector.kind "target") -}}
{{- $_ := set $timeouts "select_timeout_s" (add $target 120) -}}
{{- end -}}
{{- toJson $timeouts -}}
{{- end -}}
