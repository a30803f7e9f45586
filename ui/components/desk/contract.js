/**
 * What the desk and the HTTP API say to each other. Types only: this file holds no code and is not shipped to the browser.
 *
 * Every request is same-origin JSON and carries the header `X-Wordreel: desk`. Times are seconds from the clip's first
 * frame, ranges are half-open, scores and probabilities are 0–1, an absent probability is `null`.
 *
 *     GET  /api/review/desk?bundle=&min_score=&order=&limit=200&want=   Desk
 *     GET  /api/review/visits/{clip_id}                                 Visit
 *     POST /api/mappings/{mapping_id}/decisions      DecisionRequest    DecisionAnswer, or 409 Refusal
 *     POST /api/review/undo, /api/review/redo        UndoRequest        UndoAnswer, or 409 Refusal
 *     POST /api/clips/{clip_id}/transcript           TranscriptRequest  TranscriptAnswer
 *
 * @typedef {"heard"|"captioned"|"not_heard"} EvidenceState
 * @typedef {"in_review"|"approved"|"rejected"|"skipped"|"flagged"|"parked"|"pending_retraction"} MappingState
 * @typedef {"approve"|"reject"|"skip"|"flag"} DecisionKind
 * @typedef {"not_heard"|"wrong_sense"|"too_little_context"|"picture_does_not_help"|"audio_unclear"|"offensive"|"cut_badly"|"duplicate"|"other"} RejectReason
 *
 * @typedef {Object} Desk
 * @property {string} actor
 * @property {number} total  visits left under these filters, also those beyond `limit`
 * @property {number} parked  words that are full and therefore wait
 * @property {number} skipped
 * @property {{decided: number, approved: number, rejected: number, per_minute: number|null}} today
 * @property {{min_score: number, strict: boolean}} rules
 * @property {{judge: string, transcriber: string}} providers
 * @property {string[]} bundles
 * @property {VisitHead[]} visits
 * @property {number} without_clip  words that still have no clip
 *
 * @typedef {Object} VisitHead  One clip of the queue, seen from the word in focus.
 * @property {string} clip_id
 * @property {string} slug
 * @property {string} film_title
 * @property {number|null} film_year
 * @property {string} word
 * @property {string} mapping_id
 * @property {number} relevance
 * @property {EvidenceState} evidence
 * @property {MappingState} state
 * @property {number} approved
 * @property {number} want
 * @property {number} n_alike
 * @property {boolean} is_demo
 * @property {string} still_url
 * @property {("check_timing"|"second_opinion")[]} flags
 *
 * @typedef {Object} Word
 * @property {string} text
 * @property {number} start_s
 * @property {number} end_s
 * @property {number|null} probability
 * @property {string} timed_by
 * @property {boolean} is_pronunciation_guessed
 * @property {string|null} fault  what is wrong with its times, if anything
 *
 * @typedef {Object} Occurrence
 * @property {string} form
 * @property {number} word_index
 * @property {number} n_words
 * @property {number} start_s
 * @property {number} end_s
 * @property {number|null} probability
 * @property {string} timed_by
 *
 * @typedef {Object} Proposal
 * @property {string} proposal_id
 * @property {string} judge
 * @property {string} model
 * @property {string} prompt_version
 * @property {number} education
 * @property {number} context
 * @property {number} relevance
 * @property {string} reason
 * @property {string|number|null} difficulty
 * @property {{name: string, label: string, value: string|number|null, is_good: boolean, weight?: number}[]} features
 *
 * @typedef {Object} Target
 * @property {string} mapping_id
 * @property {string} word
 * @property {string} pos
 * @property {string} definition
 * @property {string[]} bundles
 * @property {MappingState} state
 * @property {boolean} undecided  No decision of a person stands; also for an approval that was taken back while it is live
 * @property {number} version
 * @property {number} approved
 * @property {number} in_review
 * @property {number} want
 * @property {number|null} score
 * @property {string} note
 * @property {{state: EvidenceState, occurrences: Occurrence[], reasons: string[]}} evidence
 * @property {Proposal|null} proposal
 *
 * @typedef {Object} Visit
 * @property {string} clip_id
 * @property {string} slug
 * @property {string} source
 * @property {string} title
 * @property {string} film_title
 * @property {number|null} film_year
 * @property {string|null} film_rating
 * @property {[number, number]|null} n_of_film
 * @property {number} duration_s
 * @property {string} media_url
 * @property {string} still_url
 * @property {number[]} peaks
 * @property {number|null} loudness_lufs
 * @property {string} transcript_id
 * @property {string} timed_by
 * @property {string} timing_note
 * @property {boolean} is_corrected
 * @property {Word[]} words
 * @property {[number, number][]} sentences  half-open ranges of word indices
 * @property {string} captions
 * @property {string} recognition
 * @property {string} judge_text
 * @property {string[]} strong_language
 * @property {boolean} is_demo
 * @property {Target[]} targets
 *
 * @typedef {Object} DecisionRequest
 * @property {DecisionKind} decision
 * @property {RejectReason[]} reasons
 * @property {number|null} score
 * @property {string} note
 * @property {number} version  the version that the curator saw
 * @property {string} idempotency_key
 * @property {string} visit_id  shared by all decisions of one keystroke
 * @property {string|null} proposal_id
 * @property {string} transcript_id
 * @property {boolean} score_visible
 * @property {number} watched_s
 * @property {number} target_plays
 *
 * @typedef {{mapping_id: string, state: MappingState, version: number, event_id: string, undecided: boolean}} DecisionAnswer
 * @typedef {{visit_id: string, idempotency_key: string}} UndoRequest
 * @typedef {{items: {mapping_id: string, state: MappingState, version: number, event_id: string, undecided: boolean, clip_id: string, word: string}[]}} UndoAnswer
 * @typedef {{text: string, transcript_id: string, idempotency_key: string}} TranscriptRequest
 * @typedef {{transcript_id: string, words: Word[], sentences: [number, number][], timed_by: string}} TranscriptAnswer
 * @typedef {{code: string, message: string, hint: string}} Refusal
 */
