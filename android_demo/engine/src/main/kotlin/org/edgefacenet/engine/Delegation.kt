package org.edgefacenet.engine

import org.bytedeco.tensorflowlite.Interpreter
import org.bytedeco.tensorflowlite.TfLiteDelegateParams

/**
 * How much of a graph XNNPACK took, as `edge_facenet.engines.litert.Delegation` has it: a record of the phone reads like
 * one of a desktop.
 *
 * @property left operators of the nodes left to plain kernels, in the graph's order.
 */
data class Delegation(val nodes: Int, val delegated: Int, val partitions: Int, val left: List<String>) {
    override fun toString(): String {
        if (delegated == 0) return "plain kernels alone: XNNPACK took none of $nodes nodes"
        val text = "XNNPACK $delegated of $nodes nodes, $partitions partition${if (partitions == 1) "" else "s"}"
        val counts = left.groupingBy { it }.eachCount()
        return if (counts.isEmpty()) text else "$text; left: " + counts.entries.joinToString { (name, n) -> if (n == 1) name else "$n $name" }
    }
}

/** What the plan of an interpreter that is ready to run consists of: delegate nodes stand for the nodes they replaced. */
internal fun delegation(interpreter: Interpreter): Delegation {
    var delegated = 0
    var partitions = 0
    val left = mutableListOf<String>()
    val plan = interpreter.execution_plan()
    for (k in 0 until plan.limit()) {
        val pair = interpreter.node_and_registration(plan.get(k))
        if (pair.first().delegate() == null) {
            left += operatorName(pair.second().builtin_code())
        } else {
            delegated += TfLiteDelegateParams(pair.first().builtin_data()).nodes_to_replace().size()
            partitions += 1
        }
    }
    return Delegation(delegated + left.size, delegated, partitions, left)
}

/** Source: enum BuiltinOperator in TensorFlow Lite's schema.fbs; those that face networks use. */
private val OPERATORS = mapOf(
    0 to "ADD", 1 to "AVERAGE_POOL_2D", 2 to "CONCATENATION", 3 to "CONV_2D", 4 to "DEPTHWISE_CONV_2D", 6 to "DEQUANTIZE",
    9 to "FULLY_CONNECTED", 11 to "L2_NORMALIZATION", 14 to "LOGISTIC", 17 to "MAX_POOL_2D", 18 to "MUL", 19 to "RELU",
    21 to "RELU6", 22 to "RESHAPE", 25 to "SOFTMAX", 34 to "PAD", 39 to "TRANSPOSE", 40 to "MEAN", 41 to "SUB", 42 to "DIV",
    54 to "PRELU", 55 to "MAXIMUM", 74 to "SUM", 75 to "SQRT", 76 to "RSQRT", 92 to "SQUARE", 114 to "QUANTIZE",
    117 to "HARD_SWISH",
)

private fun operatorName(code: Int) = OPERATORS[code] ?: "operator $code"
