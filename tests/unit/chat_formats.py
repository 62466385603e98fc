"""The chat formats of model families that people run, written from their published descriptions.

Each is a template with the same turns, marks and peculiarities as the family's own: what it inserts by itself, where it
puts a system's text or refuses it, what it does with the thinking of earlier turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ssr.engines.templates import ChatTemplate


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """`tokens`: every text that a tokeniser of the family reads as a control token, or a model as a turn's mark."""

    name: str
    source: str
    tokens: tuple[str, ...]
    bos: str = ""
    thinks: bool = False  #: the model thinks, opened by its template or by itself
    opens: bool = False  #: the template opens the thinking

    def template(self) -> ChatTemplate:
        return _template(self.source, self.bos)


@cache
def _template(source: str, bos: str) -> ChatTemplate:
    return ChatTemplate(source, bos_token=bos, engine_adds_bos=False)


_CHATML = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
_TOOLS = ("<tool_call>", "</tool_call>", "<|box_start|>", "<|vision_pad|>")

QWEN25 = ChatFormat(
    "Qwen2.5",
    """\
{%- if messages[0].role != 'system' -%}
<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n
{%- endif -%}
{%- for m in messages -%}
{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}""",
    (*_CHATML, *_TOOLS),
)

#: Thinking that is not the last turn's is dropped; the model opens its own.
_FORGETFUL = """\
{%- for m in messages -%}
{%- set content = m.content -%}
{%- if m.role == 'assistant' and '</think>' in content -%}
{%- set content = content.split('</think>')[-1].lstrip('\\n') -%}
{%- endif -%}
{{ '<|im_start|>' + m.role + '\\n' + content + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}OPENING{%- endif -%}"""
_THINK = ("<think>", "</think>")

QWEN3 = ChatFormat("Qwen3", _FORGETFUL.replace("OPENING", ""), (*_CHATML, *_TOOLS, *_THINK), thinks=True)
QWQ = ChatFormat(
    "QwQ",
    _FORGETFUL.replace("OPENING", "{{ '<think>\\n' }}"),
    (*_CHATML, *_TOOLS, *_THINK),
    thinks=True,
    opens=True,
)

_LLAMA_TURNS = """\
{%- for m in messages -%}
{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content | trim + '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif -%}"""
_LLAMA = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>")

LLAMA3 = ChatFormat("Llama 3", "{{ bos_token }}" + _LLAMA_TURNS, _LLAMA, bos="<|begin_of_text|>")
#: Always a system's turn, with two dates; the caller's system text comes behind them.
LLAMA31 = ChatFormat(
    "Llama 3.1",
    """\
{{- bos_token -}}
{%- if messages[0].role == 'system' -%}
{%- set system = messages[0].content | trim -%}{%- set messages = messages[1:] -%}
{%- else -%}{%- set system = '' -%}{%- endif -%}
{{ '<|start_header_id|>system<|end_header_id|>\\n\\nCutting Knowledge Date: December 2023\\n' }}
{{- 'Today Date: ' + strftime_now('%d %b %Y') + '\\n\\n' + system + '<|eot_id|>' -}}
"""
    + _LLAMA_TURNS,
    (*_LLAMA, "<|eom_id|>", "<|python_tag|>"),
    bos="<|begin_of_text|>",
)

_ALTERNATING = """\
{%- for m in messages -%}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif -%}{%- endfor -%}"""
_GEMMA_TURNS = """\
{%- for m in messages -%}
{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' + m.content | trim + '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}"""
_GEMMA = ("<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", "<unused7>")

GEMMA2 = ChatFormat(
    "Gemma 2",
    "{{ bos_token }}{%- if messages[0].role == 'system' -%}{{ raise_exception('System role not supported') }}"
    "{%- endif -%}" + _ALTERNATING + _GEMMA_TURNS,
    _GEMMA,
    bos="<bos>",
)
#: Folds a system's text into the first user's turn by itself.
GEMMA3 = ChatFormat(
    "Gemma 3",
    """\
{{- bos_token -}}
{%- if messages[0].role == 'system' -%}
{%- set prefix = messages[0].content + '\\n\\n' -%}{%- set messages = messages[1:] -%}
{%- else -%}{%- set prefix = '' -%}{%- endif -%}"""
    + _ALTERNATING
    + _GEMMA_TURNS.replace("+ m.content | trim", "+ (prefix if loop.first else '') + m.content | trim"),
    (*_GEMMA, "<start_of_image>", "<image_soft_token>"),
    bos="<bos>",
)

_MISTRAL = ("<s>", "</s>", "[INST]", "[/INST]")
MISTRAL_V1 = ChatFormat(
    "Mistral v1",
    "{{ bos_token }}"
    + _ALTERNATING
    + """\
{%- for m in messages -%}
{%- if m.role == 'user' -%}{{ ' [INST] ' + m.content + ' [/INST]' }}
{%- else -%}{{ ' ' + m.content + '</s>' }}{%- endif -%}
{%- endfor -%}""",
    _MISTRAL,
    bos="<s>",
)
#: Puts a system's text into the last user's turn.
MISTRAL_TEKKEN = ChatFormat(
    "Mistral v3-tekken",
    """\
{{- bos_token -}}
{%- if messages[0].role == 'system' -%}
{%- set system = messages[0].content + '\\n\\n' -%}{%- set messages = messages[1:] -%}
{%- else -%}{%- set system = '' -%}{%- endif -%}"""
    + _ALTERNATING
    + """\
{%- for m in messages -%}
{%- if m.role == 'user' -%}{{ '[INST]' + (system if loop.last else '') + m.content + '[/INST]' }}
{%- else -%}{{ m.content + '</s>' }}{%- endif -%}
{%- endfor -%}""",
    (*_MISTRAL, "[AVAILABLE_TOOLS]", "[TOOL_CALLS]"),
    bos="<s>",
)
#: A system's text has a turn of its own; without one, an identity and the date are put there.
MISTRAL_V7 = ChatFormat(
    "Mistral v7-tekken",
    """\
{{- bos_token -}}
{%- if messages[0].role != 'system' -%}
{{ '[SYSTEM_PROMPT]You are Mistral Small. Today is ' + strftime_now('%Y-%m-%d') + '.[/SYSTEM_PROMPT]' }}
{%- endif -%}
{%- for m in messages -%}
{%- if m.role == 'system' -%}{{ '[SYSTEM_PROMPT]' + m.content + '[/SYSTEM_PROMPT]' }}
{%- elif m.role == 'user' -%}{{ '[INST]' + m.content + '[/INST]' }}
{%- else -%}{{ m.content + '</s>' }}{%- endif -%}
{%- endfor -%}""",
    (*_MISTRAL, "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    bos="<s>",
)

#: A system's text is written bare before the first turn; thinking is opened, and cut out of earlier turns.
R1_DISTILL = ChatFormat(
    "DeepSeek-R1-Distill",
    """\
{{- bos_token -}}
{%- for m in messages -%}
{%- if m.role == 'system' -%}{{ m.content }}
{%- elif m.role == 'user' -%}{{ '<｜User｜>' + m.content }}
{%- else -%}{{ '<｜Assistant｜>' + m.content.split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<｜Assistant｜><think>\\n' }}{%- endif -%}""",
    (
        "<｜begin▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
        "<｜User｜>",
        "<｜Assistant｜>",
        "<|User|>",
        "<|Assistant|>",
        *_THINK,
    ),
    bos="<｜begin▁of▁sentence｜>",
    thinks=True,
    opens=True,
)

LLAMA2 = ChatFormat(
    "Llama 2",
    """\
{%- if messages[0].role == 'system' -%}
{%- set system = '<<SYS>>\\n' + messages[0].content + '\\n<</SYS>>\\n\\n' -%}{%- set messages = messages[1:] -%}
{%- else -%}{%- set system = '' -%}{%- endif -%}
{%- for m in messages -%}
{%- if m.role == 'user' -%}{{ bos_token + '[INST] ' + (system if loop.first else '') + m.content | trim + ' [/INST]' }}
{%- else -%}{{ ' ' + m.content | trim + ' </s>' }}{%- endif -%}
{%- endfor -%}""",
    (*_MISTRAL, "<<SYS>>", "<</SYS>>"),
    bos="<s>",
)
#: Drops a system's text without a word.
PHI3 = ChatFormat(
    "Phi-3",
    """\
{%- for m in messages -%}
{%- if m.role != 'system' -%}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|assistant|>\\n' }}{%- endif -%}""",
    ("<|user|>", "<|assistant|>", "<|end|>", "<|system|>", "<|endoftext|>"),
)
#: Its marks are plain words.
VICUNA = ChatFormat(
    "Vicuna",
    """\
{%- for m in messages -%}
{%- if m.role == 'system' -%}{{ 'A chat between a user and an assistant. ' + m.content + '\\n' }}
{%- elif m.role == 'user' -%}{{ 'USER: ' + m.content }}
{%- else -%}{{ ' ASSISTANT: ' + m.content + '</s>\\n' }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ ' ASSISTANT:' }}{%- endif -%}""",
    ("USER:", "ASSISTANT:", "</s>"),
)
#: No system role, and a preamble of its own whose end is the first turn's mark.
VICUNA_OLD = ChatFormat(
    "Vicuna 1.1",
    _ALTERNATING
    + """\
{%- for m in messages -%}
{%- if m.role == 'user' -%}
{{- ('A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, '
     ~ "detailed, and polite answers to the user's questions. " if loop.first else '') + 'USER: ' + m.content }}
{%- else -%}{{ ' ASSISTANT: ' + m.content + '</s>' }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ ' ASSISTANT:' }}{%- endif -%}""",
    ("USER:", "ASSISTANT:", "</s>"),
)
#: Thinking is closed before the model's turn begins; a switch that we do not use would open it.
DEEPSEEK_V31 = ChatFormat(
    "DeepSeek-V3.1",
    R1_DISTILL.source.replace("<｜Assistant｜><think>\\n", "<｜Assistant｜></think>"),
    R1_DISTILL.tokens,
    bos=R1_DISTILL.bos,
)
#: The same, with both tags.
QWEN3_CLOSED = ChatFormat(
    "Qwen3, thinking closed", _FORGETFUL.replace("OPENING", "{{ '<think>\\n\\n</think>\\n\\n' }}"), QWEN3.tokens
)
#: Does not know that a model's turn is wanted.
HEADLESS = ChatFormat(
    "ChatML without generation prompt",
    "{%- for m in messages -%}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor -%}",
    _CHATML,
)
#: Marks with one bar only.
GEMMA4 = ChatFormat(
    "Gemma 4",
    """\
{{- bos_token -}}
{%- for m in messages -%}
{{ '<|turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' + m.content | trim + '<turn|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|turn>model\\n' }}{%- endif -%}""",
    ("<bos>", "<eos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>", "<|tool_call>", "<tool_call|>"),
    bos="<bos>",
)
EXAONE = ChatFormat(
    "EXAONE 3.5",
    """\
{%- for m in messages -%}
{{ '[|' + m.role + '|]' + m.content + ('\\n' if m.role == 'user' else '[|endofturn|]\\n') }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '[|assistant|]' }}{%- endif -%}""",
    ("[|system|]", "[|user|]", "[|assistant|]", "[|endofturn|]", "[BOS]", "[EOS]"),
)
MINIMAX = ChatFormat(
    "MiniMax-M2",
    """\
{%- for m in messages -%}
{{ (']~!b[' if loop.first else '') + ']~b]' + ('ai' if m.role == 'assistant' else m.role) + '\\n' }}
{{- m.content + '[e~[\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ ']~b]ai\\n' }}{%- endif -%}""",
    ("]~!b[", "]~b]", "[e~[", "<minimax:tool_call>", "</minimax:tool_call>"),
)
#: Words are its marks, which a turn's beginning and another's end share.
ALPACA = ChatFormat(
    "Alpaca",
    """\
{%- for m in messages -%}
{%- if m.role == 'system' -%}{{ m.content + '\\n\\n' }}
{%- elif m.role == 'user' -%}{{ '### Instruction:\\n' + m.content + '\\n\\n' }}
{%- else -%}{{ '### Response:\\n' + m.content + '\\n\\n' }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '### Response:\\n' }}{%- endif -%}""",
    ("### Instruction:", "### Response:"),
)

#: Thinking and answer are channels of a turn.
GPT_OSS = ChatFormat(
    "gpt-oss",
    """\
{{- '<|start|>system<|message|>You are ChatGPT.\\nReasoning: medium\\n\\n# Valid channels: analysis, final.<|end|>' -}}
{%- for m in messages -%}
{%- if m.role == 'system' -%}{{ '<|start|>developer<|message|># Instructions\\n\\n' + m.content + '<|end|>' }}
{%- elif m.role == 'user' -%}{{ '<|start|>user<|message|>' + m.content + '<|end|>' }}
{%- else -%}{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start|>assistant' }}{%- endif -%}""",
    ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>"),
    thinks=True,
)

CHAT_FORMATS = (
    QWEN25,
    QWEN3,
    QWQ,
    LLAMA3,
    LLAMA31,
    GEMMA2,
    GEMMA3,
    MISTRAL_V1,
    MISTRAL_TEKKEN,
    MISTRAL_V7,
    R1_DISTILL,
    LLAMA2,
    PHI3,
    VICUNA,
    VICUNA_OLD,
    DEEPSEEK_V31,
    QWEN3_CLOSED,
    HEADLESS,
    GEMMA4,
    EXAONE,
    MINIMAX,
    ALPACA,
)
